"""The minute each mail goes out where an hour takes no more than so many mails.

Here: worth by hour, minutes, clocks. Not here: who gets which hour (hour_exploration, hours), minutes without such a limit
(timing).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from models.policy.config import SLOT_MINUTES, PolicyConfig
from models.policy.hour_exploration import plan_hours
from models.policy.timing import OUTPUT, local_time, open_chances

_HOURS = 24


def choose_hour(readers: pl.DataFrame, allowed: pl.DataFrame, config: PolicyConfig) -> pl.DataFrame:
    """As `timing.choose_send_time`, with at most `mails_per_hour` in every hour of UTC.

    A mail's worth in an hour is its worth in proportion to the chance that it is opened if sent then. Mails for
    which no hour has room wait: they are not in the result. Within an hour mails are spread over the minutes allowed to
    them.

    Args:
        readers: customer_id, timezone, p_open_by_hour, worth (money), u_minute.
        allowed: of `allowed_slots`.
        config: for `mails_per_hour`, `explore_send_time`, the window and the seed.

    Returns:
        As `timing.choose_send_time`; propensity_send_time is that of the hour of UTC.
    """
    if config.mails_per_hour is None:
        raise ValueError("mails_per_hour is not set; without it `choose_send_time` chooses the minute")
    readers = readers.sort("customer_id")
    zones = readers.get_column("timezone").unique().sort()
    start, _ = config.window
    slots = allowed.filter(pl.col("timezone").is_in(zones.to_list())).with_columns(
        hour=(pl.col("slot") - start).dt.total_hours()
    )
    chance = _chance_by_hour(readers, slots)
    best = np.nanmax(chance, axis=1, initial=0.0, keepdims=True)
    share = np.divide(chance, best, out=np.where(np.isnan(chance), np.nan, 1.0), where=best > 0)
    worth = np.maximum(readers.get_column("worth").to_numpy(), 0.0)[:, None] * share
    ids = readers.get_column("customer_id")
    plan = plan_hours(
        ids, worth, [config.mails_per_hour] * _HOURS, explore=config.explore_send_time, seed=config.seed
    ).mails
    placed = (
        readers.select("customer_id", "timezone", "u_minute")
        .with_columns(
            plan.select("hour", "planned_hour", propensity_send_time="propensity_hour"),
            is_flat_time=pl.Series(np.nanmin(chance, axis=1, initial=np.inf) == best[:, 0]),
        )
        .drop_nulls("hour")
        .join(
            slots.group_by("timezone", "hour").agg(pl.col("slot").sort()), on=["timezone", "hour"], how="left"
        )
    )
    minute = (pl.col("u_minute") * pl.col("slot").list.len() * SLOT_MINUTES).floor().cast(pl.Int64)
    timed = placed.with_columns(
        send_at=pl.col("slot").list.get(minute // SLOT_MINUTES) + pl.duration(minutes=minute % SLOT_MINUTES),
        is_best_time=pl.col("hour") == pl.col("planned_hour"),
    )
    parts = [
        rows.with_columns(send_at_local=local_time(pl.col("send_at"), str(zone)))
        for (zone,), rows in timed.group_by("timezone", maintain_order=True)
    ]
    empty = pl.DataFrame(schema=OUTPUT)
    return pl.concat(
        [empty, *(part.select(pl.col(c).cast(t) for c, t in OUTPUT.items()) for part in parts)]
    ).sort("customer_id")


def _chance_by_hour(readers: pl.DataFrame, slots: pl.DataFrame) -> np.ndarray:
    """Readers x hours of the window: mean chance of an open over the hour's allowed quarters; NaN where none is allowed."""
    chances = open_chances(readers)
    by_hour = np.full((readers.height, _HOURS), np.nan)
    rows_of = readers.with_row_index("row").group_by("timezone").agg("row")
    for zone, rows in rows_of.sort("timezone").iter_rows():
        for (hour,), quarters in slots.filter(pl.col("timezone") == zone).group_by("hour"):
            columns = quarters.get_column("hour_of_week").sort().to_numpy()
            by_hour[np.asarray(rows), hour] = chances[np.ix_(rows, columns)].mean(axis=1)
    return by_hour
