"""When a mail goes out: the allowed local hour in which its reader is likeliest to open it, or one that may prove to be.

A share of the mails explores evenly, a share by Thompson sampling with a chance in closed form: what is believed of an hour,
in log-odds of an open, is its predicted value with an error of Gumbel's shape, as wide as few opens leave it; the hour that
is then best is distributed as a softmax of the predictions (Luce 1959; Yellott 1977, on Gumbel noise and choice). All
others go out in the best hour: Thompson sampling that keeps to the leader for a fixed share, as top-two sampling does
(Russo 2016), for next to the best there often lies an hour that is about as good, and readers expect theirs.

The 24 hours of the window are cut into quarters of an hour and each is translated to the reader's clock, so
that zones off by 30 or 45 minutes and the nights of clock changes need no special case. Not here: how
chances to open are predicted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.features import FloatArray
from models.policy.config import SLOT_MINUTES, PolicyConfig
from models.shrinkage import logit

HOURS_OF_WEEK = 168
_SLOTS = 24 * 60 // SLOT_MINUTES
_GUMBEL = np.sqrt(6.0) / np.pi
"""Scale of a Gumbel distribution with a standard deviation of 1."""
_LAST_MINUTE = timedelta(minutes=SLOT_MINUTES - 1)

OUTPUT = pl.Schema(
    {
        "customer_id": pl.String(),
        "send_at": pl.Datetime("us"),
        "send_at_local": pl.Datetime("us"),
        "propensity_send_time": pl.Float64(),
        "is_best_time": pl.Boolean(),
        "is_flat_time": pl.Boolean(),
    }
)


def allowed_slots(zones: list[str], config: PolicyConfig) -> pl.DataFrame:
    """The quarters of an hour of the window in which nobody in a zone is in quiet hours.

    Returns:
        timezone, slot (naive UTC), hour_of_week (Monday 00 = 0, local); sorted by zone and time. A quarter
        is kept only if both its first and its last minute are outside the quiet hours.
    """
    start, _ = config.window
    slots = pl.DataFrame({"slot": [start + timedelta(minutes=SLOT_MINUTES * i) for i in range(_SLOTS)]}).cast(
        pl.Datetime("us")
    )
    by_zone = [
        slots.with_columns(
            timezone=pl.lit(zone),
            local=local_time(pl.col("slot"), zone),
            last=local_time(pl.col("slot") + _LAST_MINUTE, zone),
        )
        for zone in sorted(zones)
    ]
    empty = slots.clear().with_columns(timezone=pl.lit(""), local="slot", last="slot")
    return (
        pl.concat([empty, *by_zone])
        .filter(~_is_quiet(pl.col("local"), config), ~_is_quiet(pl.col("last"), config))
        .select(
            "timezone",
            "slot",
            hour_of_week=(pl.col("local").dt.weekday().cast(pl.Int64) - 1) * 24 + pl.col("local").dt.hour(),
        )
        .sort("timezone", "slot")
    )


def local_time(moment: pl.Expr, zone: str) -> pl.Expr:
    """A moment of UTC on a zone's clock, both naive."""
    return moment.dt.replace_time_zone("UTC").dt.convert_time_zone(zone).dt.replace_time_zone(None)


def _is_quiet(local: pl.Expr, config: PolicyConfig) -> pl.Expr:
    clock = local.dt.hour().cast(pl.Int64) * 60 + local.dt.minute()
    start = config.quiet_start.hour * 60 + config.quiet_start.minute
    end = config.quiet_end.hour * 60 + config.quiet_end.minute
    if start <= end:
        return (clock >= start) & (clock < end)
    return (clock >= start) | (clock < end)


@dataclass(frozen=True, slots=True)
class _ZoneHours:
    """The allowed local hours of one zone's window, earliest first; row h of `slots` lists hour h's
    quarters."""

    hour_of_week: NDArray[np.int64]
    slots: NDArray[np.datetime64]
    n_slots: NDArray[np.int64]

    @staticmethod
    def of(allowed: pl.DataFrame) -> _ZoneHours:
        hours = allowed.group_by("hour_of_week", maintain_order=True).agg("slot")
        slots = hours.get_column("slot").to_list()
        padded = np.zeros((len(slots), max(map(len, slots))), dtype="datetime64[us]")
        for row, quarters in enumerate(slots):
            padded[row, : len(quarters)] = quarters
        return _ZoneHours(
            hours.get_column("hour_of_week").to_numpy(),
            padded,
            np.array([len(q) for q in slots], dtype=np.int64),
        )


def open_chances(send_time: pl.DataFrame) -> NDArray[np.float64]:
    """Matrix of p_open_by_hour, 0 where unknown.

    Raises:
        ValueError: a list that has not one number per hour of the week.
    """
    chances = send_time.get_column("p_open_by_hour")
    lengths = chances.list.len().drop_nulls()
    if not lengths.is_in([HOURS_OF_WEEK]).all():
        raise ValueError(
            f"score_send_time.p_open_by_hour must hold {HOURS_OF_WEEK} numbers, one per hour of the week"
        )
    filled = pl.select(
        pl.when(chances.is_null())
        .then(pl.lit([0.0] * HOURS_OF_WEEK))
        .otherwise(chances.cast(pl.List(pl.Float64)))
    ).to_series()
    matrix = filled.cast(pl.Array(pl.Float64, HOURS_OF_WEEK)).to_numpy()
    return np.nan_to_num(np.asarray(matrix, dtype=np.float64).reshape(-1, HOURS_OF_WEEK))


def choose_send_time(readers: pl.DataFrame, allowed: pl.DataFrame, config: PolicyConfig) -> pl.DataFrame:
    """The minute each mail goes out.

    The hour with the highest chance to be opened, the earliest of equals; with chance `explore_send_time` any allowed hour,
    evenly, and with chance `sample_send_time` one by `hour_chances`. Within the hour mails are spread over the allowed
    minutes by customer, which throttles sending; the spread depends on nothing but identity and day, so the propensity
    is that of the hour.

    Args:
        readers: customer_id, timezone, p_open_by_hour (168 chances by local hour of week, or null), n_sends (mails that
            these rest on), u_explore, u_hour, u_minute.
        allowed: of `allowed_slots`, with at least one slot for every zone of a reader.
        config: for `explore_send_time`, `sample_send_time` and `hour_opens`.

    Returns:
        customer_id, send_at, send_at_local (naive, on the reader's clock), propensity_send_time,
        is_best_time (the usual hour), is_flat_time (all allowed hours have the same chance).
    """
    readers = readers.sort("customer_id")
    chances = open_chances(readers)
    hours_of = {
        str(zone): _ZoneHours.of(rows) for (zone,), rows in allowed.group_by("timezone", maintain_order=True)
    }
    parts = [
        _zone_times(str(zone), rows, chances[rows.get_column("row").to_numpy()], hours_of[str(zone)], config)
        for (zone,), rows in readers.with_row_index("row").group_by("timezone", maintain_order=True)
    ]
    return pl.concat([pl.DataFrame(schema=OUTPUT), *parts]).sort("customer_id")


def hour_chances(p_open: FloatArray, n_sends: FloatArray, hour_opens: float) -> FloatArray:
    """Chance that each hour is believed to be the best, readers x hours.

    The log-odds of an open have a standard deviation of 1 / sqrt(hour_opens + opens), opens being n_sends x mean p_open:
    opens at one hour tell of the others through the habits of reading that the prediction rests on.

    Args:
        p_open: readers x hours.
        n_sends: mails that each reader's chances rest on.
        hour_opens: opens that the chances of a reader without a mail are worth, above 0.
    """
    error = 1.0 / np.sqrt(hour_opens + n_sends * p_open.mean(axis=1))
    ahead = (logit(p_open) - logit(p_open.max(axis=1, keepdims=True))) / (_GUMBEL * error)[:, None]
    weight = np.exp(ahead)
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def _zone_times(
    zone: str, readers: pl.DataFrame, chances: NDArray[np.float64], hours: _ZoneHours, config: PolicyConfig
) -> pl.DataFrame:
    """`choose_send_time` for the readers of one zone; `chances` has their rows."""
    n_hours = len(hours.hour_of_week)
    of_hour = chances[:, hours.hour_of_week]
    best = of_hour.argmax(axis=1)
    n_sends = readers.get_column("n_sends").fill_null(0).to_numpy()
    believed = hour_chances(of_hour, n_sends, config.hour_opens)
    lot, which = (readers.get_column(name).to_numpy() for name in ("u_hour", "u_explore"))
    even, sampled = config.explore_send_time, config.sample_send_time
    any_hour = (lot * n_hours).astype(np.int64)
    likely = (believed.cumsum(axis=1) <= lot[:, None]).sum(axis=1).clip(max=n_hours - 1)
    hour = np.select([which < even, which < even + sampled], [any_hour, likely], best)

    minute = (readers.get_column("u_minute").to_numpy() * hours.n_slots[hour] * SLOT_MINUTES).astype(np.int64)
    quarter = hours.slots[hour, minute // SLOT_MINUTES]
    send_at = quarter + (minute % SLOT_MINUTES).astype("timedelta64[m]")
    chance = believed[np.arange(len(hour)), hour]
    propensity = even / n_hours + sampled * chance + (1.0 - even - sampled) * (hour == best)
    return pl.DataFrame(
        {
            "customer_id": readers.get_column("customer_id"),
            "send_at": pl.Series(send_at.astype("datetime64[us]")),
            "propensity_send_time": propensity,
            "is_best_time": hour == best,
            "is_flat_time": of_hour.max(axis=1) == of_hour.min(axis=1),
        }
    ).select(
        "customer_id",
        "send_at",
        local_time(pl.col("send_at"), zone).alias("send_at_local"),
        "propensity_send_time",
        "is_best_time",
        "is_flat_time",
    )
