"""What is limited, and what each option uses of it, as arrays that a choice under limits is made from.

Here: limits, the check of the options, whole units. Not here: prices (prices), the choice (assignment), who may explore
(tickets).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from models.features import FloatArray

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

UNITS_OF_AMOUNT = 1_000_000
_LARGEST = 2.0**53  # up to here every whole number is a double, so that sums are exact in any order
_NOISE_DIGITS = 6  # 0.07 x 1,000,000 is 70000.00000000001 in floating point; it stands for 70000


@dataclass(frozen=True, slots=True)
class Limit:
    """One shared resource of a day.

    Attributes:
        resource: its name.
        most: what may be used of it in all; a number of mails, or money.
        amount: column with what one option uses of it, 0 or more; None: one each.
        of: column and value of the options that use it, as ("offer_key", "ten_percent"); None: all of them.
    """

    resource: str
    most: float
    amount: str | None = None
    of: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a limit that is negative, no number, or too large to be one."""
        if not (np.isfinite(self.most) and self.most >= 0):
            raise ValueError(f"the limit of {self.resource} is {self.most}; it must be a number of 0 or more")
        if self.most * self.units >= _LARGEST:
            raise ValueError(f"the limit of {self.resource} is {self.most}; leave it out, it limits nothing")

    @property
    def units(self) -> int:
        """Whole units in one: amounts are counted in millionths."""
        return 1 if self.amount is None else UNITS_OF_AMOUNT


@dataclass(frozen=True, eq=False, slots=True)
class Problem:
    """Options and limits as arrays, sorted by customer and key: the order of the rows given does not matter.

    Use is held in whole units: a mail is one, an amount is rounded up to millionths and its limit down. Sums are then exact,
    and so are limits.

    Attributes:
        options: the frame given, sorted by customer_id and keys.
        limits: as given.
        starts: position of each customer's first option.
        owner: number of each option's customer, from 0 in the order of customer_id.
        value: of each option.
        uses: options x limits, whole units.
        most: of each limit, whole units.
    """

    options: pl.DataFrame
    limits: tuple[Limit, ...]
    starts: IntArray
    owner: NDArray[np.int32]
    value: FloatArray
    uses: csr_array
    most: FloatArray

    @property
    def units(self) -> FloatArray:
        """Whole units in one, of each limit."""
        return np.array([limit.units for limit in self.limits], dtype=np.float64)

    @property
    def n_customers(self) -> int:
        """Customers with an option."""
        return len(self.starts)

    def part_of_limits(self, share: float) -> FloatArray:
        """That share of each limit in whole units, rounded down."""
        return np.floor(np.round(self.most * share, _NOISE_DIGITS))

    def rows_within(self, most: FloatArray) -> BoolArray:
        """Options that, alone, use no more than `most` of each limit."""
        return rows_without(self.uses, self.uses.data > most[self.uses.indices])

    def is_about_limit(self, number: int) -> BoolArray:
        """Options that a limit is about, whatever they use of it."""
        return is_about(self.options, self.limits[number])

    def part(self, rows: IntArray) -> Problem:
        """The options in these rows (ascending) alone; customers left without any are left out, and so is the frame."""
        owner = self.owner[rows]
        is_first = np.diff(owner, prepend=np.int32(-1)) > 0
        return replace(
            self,
            options=self.options.clear(),
            starts=np.flatnonzero(is_first),
            owner=np.cumsum(is_first, dtype=np.int32) - np.int32(1),
            value=self.value[rows],
            uses=self.uses[rows],
        )

    def with_limits(self, numbers: IntArray) -> Problem:
        """Some of the limits alone, all options."""
        return replace(
            self,
            limits=tuple(self.limits[number] for number in numbers),
            uses=self.uses[:, numbers],
            most=self.most[numbers],
        )

    def highest(self, score: FloatArray) -> FloatArray:
        """Each customer's highest score."""
        return np.maximum.reduceat(score, self.starts) if len(self.starts) else np.empty(0)

    def first_at(self, score: FloatArray, top: FloatArray) -> IntArray:
        """Each customer's first option whose score is `top`, his highest."""
        rows = np.flatnonzero(score == top[self.owner])
        return rows[np.diff(self.owner[rows], prepend=np.int32(-1)) > 0]

    def total_use(self, rows: IntArray) -> FloatArray:
        """What these options use of each limit together, whole units."""
        total: FloatArray = np.asarray(self.uses[rows].sum(axis=0), dtype=np.float64).reshape(-1)
        return total


def rows_without(uses: csr_array, is_bad: BoolArray) -> BoolArray:
    """Rows of a sparse matrix none of whose entries is marked."""
    before = np.concatenate([[0], np.cumsum(is_bad, dtype=np.int64)])
    clean: BoolArray = before[uses.indptr[1:]] == before[uses.indptr[:-1]]
    return clean


def is_about(options: pl.DataFrame, limit: Limit) -> BoolArray:
    """Options that a limit is about."""
    if limit.of is None:
        return np.ones(len(options), dtype=np.bool_)
    column, value = limit.of
    about: BoolArray = (options.get_column(column) == value).to_numpy()
    return about


def read_options(options: pl.DataFrame, limits: Sequence[Limit], keys: Sequence[str]) -> Problem:
    """The options as arrays.

    Args:
        options: customer_id, `keys`, value (money; any sign), and the columns that the limits name.
        limits: every resource once.
        keys: columns that with customer_id identify an option.

    Raises:
        ValueError: a column that is missing or has a null; an option that is there twice; a value that is no number; an
            amount that is negative or no number; a resource named twice.
    """
    names = [limit.resource for limit in limits]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"more than one limit of {', '.join(repeated)}; give each resource one")
    _check_columns(options, limits, keys)
    options, owner = _sorted(options, keys)
    value = _numbers(options, "value")
    if not np.isfinite(value).all():
        raise ValueError("an option's value is no number; leave out options whose value is unknown")
    is_first = np.diff(owner, prepend=np.int32(-1)) > 0
    return Problem(
        options,
        tuple(limits),
        np.flatnonzero(is_first),
        owner,
        value,
        _uses(options, limits),
        np.array([np.floor(np.round(limit.most * limit.units, _NOISE_DIGITS)) for limit in limits]),
    )


def _check_columns(options: pl.DataFrame, limits: Sequence[Limit], keys: Sequence[str]) -> None:
    wanted = dict.fromkeys(("customer_id", *keys, "value"), "")
    for limit in limits:
        wanted |= dict.fromkeys(_named(limit), f", which the limit of {limit.resource} names")
    for column, by in wanted.items():
        if column not in options.columns:
            raise ValueError(f"the options have no column {column}{by}")
        if options.get_column(column).null_count():
            raise ValueError(f"the options' column {column}{by} has nulls; say what is meant")


def _named(limit: Limit) -> list[str]:
    return [column for column in (limit.amount, limit.of[0] if limit.of else None) if column is not None]


def _sorted(options: pl.DataFrame, keys: Sequence[str]) -> tuple[pl.DataFrame, NDArray[np.int32]]:
    """The options sorted by customer and keys, and each one's customer's number."""
    owner, n_customers = _codes(options.get_column("customer_id"))
    identity, n = owner, n_customers
    for key in keys:
        code, n_codes = _codes(options.get_column(key))
        n *= n_codes
        if n >= 2**62:
            raise ValueError(f"too many combinations of customer_id and {', '.join(keys)}")
        identity = identity * n_codes + code
    step = np.diff(identity)
    if (step < 0).any():
        order = np.argsort(identity, kind="stable")
        options, owner, step = options[order], owner[order], np.diff(identity[order])
    if (step == 0).any():
        row = options.select("customer_id", *keys).row(int(np.flatnonzero(step == 0)[0]))
        raise ValueError(f"option {row} is there twice")
    return options, owner.astype(np.int32)


def _codes(column: pl.Series) -> tuple[IntArray, int]:
    """Each text's place among all of the column's, sorted."""
    texts = column.unique().sort().cast(pl.String)
    codes: IntArray = column.cast(pl.Enum(texts)).to_physical().to_numpy().astype(np.int64)
    return codes, len(texts)


def _numbers(options: pl.DataFrame, column: str) -> FloatArray:
    return options.get_column(column).cast(pl.Float64).to_numpy()


def _uses(options: pl.DataFrame, limits: Sequence[Limit]) -> csr_array:
    rows, columns, amounts = [], [], []
    for number, limit in enumerate(limits):
        of = np.flatnonzero(is_about(options, limit))
        used = np.ones(len(of))
        if limit.amount is not None:
            used = _numbers(options, limit.amount)[of]
            if not (np.isfinite(used) & (used >= 0)).all():
                raise ValueError(
                    f"column {limit.amount} must hold numbers of 0 or more; it is what is used of {limit.resource}"
                )
            used = np.ceil(np.round(used * limit.units, _NOISE_DIGITS))
            of, used = of[used > 0], used[used > 0]
        if used.sum() >= _LARGEST:
            raise ValueError(f"the options' use of {limit.resource} is too large to be counted")
        rows.append(of.astype(np.int32))
        columns.append(np.full(len(of), number, dtype=np.int32))
        amounts.append(used)
    shape = (len(options), len(limits))
    if not limits:
        return csr_array(shape)
    return csr_array((np.concatenate(amounts), (np.concatenate(rows), np.concatenate(columns))), shape=shape)
