"""The contract every model keeps, and the errors it may raise.

Here: the protocol, the missing-feature error, the not-fitted error. Not here: anything that learns.

A model is a class with frozen `params`, a `name`, the tuple of `features` it needs, `fit` and `predict`. It
keeps the order of the rows it is given, answers every row with a number, answers an empty frame with an empty
frame of the same columns, gives the same bytes for the same input, and can be pickled whole: encodings fitted
in training travel inside it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import polars as pl
from numpy.typing import NDArray

NOBODY = "made-up-customer-"
"""Begins the ids of customers who are made up."""


class MissingFeatureError(ValueError):
    """A frame lacks columns the model needs; the message names both."""

    def __init__(self, model: str, missing: Iterable[str]) -> None:
        self.model = model
        self.missing = tuple(missing)
        super().__init__(
            f"model '{model}' needs the column(s) {', '.join(self.missing)}, which the frame does not have; "
            "build the frame with the feature tables the model was trained on"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.model, self.missing)


class NotFittedError(RuntimeError):
    """`predict` was called before `fit`."""

    def __init__(self, model: str) -> None:
        self.model = model
        super().__init__(f"model '{model}' has not been fitted; call fit(frame) before predict(frame)")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.model,)


@dataclass(frozen=True)
class NoParams:
    """The parameters of a rule that has none."""


@runtime_checkable
class Model(Protocol):
    """What training and scoring know about a model."""

    @property
    def name(self) -> str:
        """Short name, unique among the models and baselines of one question."""

    @property
    def features(self) -> tuple[str, ...]:
        """Columns `predict` needs besides the keys."""

    @property
    def params(self) -> Any:
        """A frozen dataclass: everything a caller may set."""

    def fit(self, frame: pl.DataFrame) -> Self:
        """Learn from a training frame and return self."""

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        """One result per row of `frame`, in its order."""


def require(frame: pl.DataFrame, columns: Iterable[str], model: str) -> None:
    """Raise `MissingFeatureError` unless `frame` has all `columns`."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise MissingFeatureError(model, missing)


@dataclass(frozen=True)
class Explanation:
    """What each input added to each answer.

    Attributes:
        inputs: names of the columns of both arrays.
        values: rows x inputs: what stood there, NaN where nothing did.
        contributions: rows x inputs, on the model's link scale; a row's sum is its answer's distance from the average.
    """

    inputs: tuple[str, ...]
    values: NDArray[np.float64]
    contributions: NDArray[np.float64]


@runtime_checkable
class Explains(Protocol):
    """A fitted model that can say what each input added to an answer."""

    def explain(self, frame: pl.DataFrame) -> Explanation | None:
        """One row per row of `frame`, in its order; None where the model fell back to a rule."""


@runtime_checkable
class RemembersCustomers(Protocol):
    """A fitted model that keeps something of single customers, and can let go of it."""

    def customers(self) -> frozenset[str]:
        """Ids of the customers it keeps something of."""

    def without(self, customers: Collection[str]) -> Self:
        """The same model without these customers; it answers for them as for strangers."""
