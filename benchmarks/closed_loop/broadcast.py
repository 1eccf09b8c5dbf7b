"""The plain weekly mail: the same content for everybody who may be mailed, Tuesdays at 10:00 on the reader's clock."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from shop.broadcast import broadcast_sends
from shop.landing import TIME
from shop.mails import SENDS
from shop.world import World

WEEKDAY, HOUR = 1, 10


def weekly_mail(world: World, day: date) -> pl.DataFrame:
    """Today's mails, columns SENDS: none but on the day of the mail. No offer, a plain subject."""
    ids = local_times(world.people.customers, day, HOUR)
    may = world.state.may_mail(world.people, np.append(ids["send_at"].to_physical().to_numpy(), 0))[:-1]
    if day.weekday() != WEEKDAY:
        return pl.DataFrame(schema=SENDS)
    issue = broadcast_sends(world.config, world.people, world.catalogue, world.state, day).head(1)
    return (
        ids.filter(pl.Series(may))
        .join(issue.select("product_ids", "content_ids"), how="cross")
        .with_columns(
            message_id=pl.format("broadcast-{}-{}", pl.lit(f"{day}"), "customer_id"),
            message_key=pl.lit("weekly_broadcast"),
            subject_variant=pl.lit("plain"),
            tone=pl.lit("casual"),
            offer_key=pl.lit("none"),
            wave=pl.lit("broadcast"),
            propensity=pl.lit(1.0),
            propensity_offer=pl.lit(1.0),
        )
        .pipe(as_sends)
    )


def as_sends(mails: pl.DataFrame) -> pl.DataFrame:
    """All columns of SENDS, null where a frame has none."""
    return mails.select(
        (pl.col(name) if name in mails.columns else pl.lit(None)).cast(kind).alias(name)
        for name, kind in SENDS.items()
    )


def local_times(customers: pl.DataFrame, day: date, hour: int | pl.Expr) -> pl.DataFrame:
    """customer_id, send_at (UTC) of an hour of a day on each reader's clock; of his country's usual one where it is unknown."""
    usual = (
        customers.drop_nulls("timezone")
        .group_by("country", "timezone")
        .len()
        .sort("country", "len", "timezone", descending=[False, True, False])
        .unique("country", keep="first", maintain_order=True)
        .select("country", usual="timezone")
    )
    zoned = customers.join(usual, on="country", how="left", maintain_order="left").select(
        "customer_id",
        zone=pl.coalesce("timezone", "usual", pl.lit("UTC")),
        hour=pl.lit(hour) if isinstance(hour, int) else hour,
    )
    offsets = {zone: _offset(zone, day) for zone in zoned["zone"].unique()}
    shift = pl.col("zone").replace_strict(offsets, return_dtype=pl.Duration("us"))
    midnight = pl.lit(datetime.combine(day, time())).cast(TIME)
    local = midnight + pl.duration(hours=pl.col("hour")) - shift
    # The reader's clock shows every hour once in a UTC day: that moment is taken, so that no mail waits for another day.
    day_long = pl.duration(days=1)
    at = (
        pl.when(local < midnight)
        .then(local + day_long)
        .when(local >= midnight + day_long)
        .then(local - day_long)
        .otherwise(local)
    )
    return zoned.select("customer_id", send_at=at)


def _offset(zone: str, day: date) -> timedelta:
    return datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone)).utcoffset() or timedelta()
