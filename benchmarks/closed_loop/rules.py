"""A rule set as plain e-mail tools run it: triggers with fixed waits, RFM segments with fixed thresholds, usual open hour.

It reads what has landed, as a tool does that is fed with events: log-ins alone tell who somebody is. Caps, quiet hours and
the daily rhythm are those of this product's own policy, so that the comparison is about what is decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.closed_loop.broadcast import as_sends, local_times
from shop.world import World

SHOWN = 4
PER_7_DAYS = 3
FIRST_HOUR, LAST_HOUR, USUAL_HOUR = 7, 20, 10
NEWSLETTER_WEEKDAY = 1
HUMAN_AFTER = timedelta(seconds=60)
"""An open so soon after the sending is a machine's, in the eyes of the tool."""
AT_RISK_DAYS, LAPSED_DAYS, REPLENISH_DAYS, CROSS_SELL_DAYS = 60, 180, (28, 35), (14, 21)
BEST_SHARE = 0.2

EVENTS = ("event", "occurred_at", "customer_id", "product_id", "order_id", "quantity", "price", "message_id")


@dataclass(frozen=True)
class Rule:
    """One kind of mail. cool_down_days: between two of them. offer: what comes with it. shows: of the trigger's product
    and what sells best on its shelf, or what sells best alone."""

    key: str
    cool_down_days: int
    offer: str = "none"


RULES = (
    Rule("cart_abandoned", 4),
    Rule("welcome", 365),
    Rule("replenishment", 14),
    Rule("browse_abandoned", 7),
    Rule("cross_sell", 30),
    Rule("win_back", 30, "percent_10"),
    Rule("newsletter", 6),
)
"""In order of importance: a customer gets the first that he is due for."""
DISCOUNT = {"none": 0.0, "percent_10": 0.10}


class RulePolicy:
    """Decides a day's mails from a landing folder; keeps no state but what lies there."""

    def __init__(self, landing: Path) -> None:
        self.landing = landing

    def mails(self, world: World, day: date) -> pl.DataFrame:
        """Columns SENDS. `world` says who may be mailed, which every sender knows, and nothing else."""
        now = datetime.combine(day, time())
        events = (
            pl.scan_parquet(self.landing / "events" / "*.parquet", hive_partitioning=False)
            .select(EVENTS)
            .filter(pl.col("customer_id").is_not_null())
            .collect()
        )
        customers = pl.read_parquet(self.landing / "customers.parquet")
        products = self._products()
        lines = events.filter(pl.col("event") == "Order Completed")
        sent = self._sent(now)
        segments = rfm_segments(customers, lines, now)
        due = pl.concat(_triggers(events, lines, customers, segments, products, now), how="diagonal_relaxed")
        order = {rule.key: place for place, rule in enumerate(RULES)}
        cool = {rule.key: rule.cool_down_days for rule in RULES}
        last = sent.group_by("customer_id", "message_key").agg(last=pl.col("occurred_at").max())
        week = sent.filter(pl.col("occurred_at") >= now - timedelta(days=7)).group_by("customer_id")
        counts = week.agg(n7=pl.len(), n1=(pl.col("occurred_at") >= now - timedelta(days=1)).sum())
        chosen = (
            due.join(last, on=["customer_id", "message_key"], how="left")
            .join(counts, on="customer_id", how="left")
            .with_columns(
                place=pl.col("message_key").replace_strict(order, return_dtype=pl.Int64),
                cool=pl.col("message_key").replace_strict(cool, return_dtype=pl.Int64),
            )
            .filter(
                pl.col("last").is_null() | (pl.col("last") < now - pl.duration(days=pl.col("cool"))),
                pl.col("n7").fill_null(0) < PER_7_DAYS,
                pl.col("n1").fill_null(0) < 1,
            )
            .sort("customer_id", "place")
            .unique("customer_id", keep="first", maintain_order=True)
        )
        return self._addressed(chosen, world, customers, products, lines, events, day)

    def _products(self) -> pl.DataFrame:
        """The catalogue as it is: the newest row of each product."""
        return (
            pl.read_parquet(self.landing / "products.parquet")
            .sort("product_id", "updated_at")
            .unique("product_id", keep="last", maintain_order=True)
        )

    def _sent(self, now: datetime) -> pl.DataFrame:
        """customer_id, message_key, occurred_at of the mails of a year."""
        return (
            pl.scan_parquet(self.landing / "events" / "*.parquet", hive_partitioning=False)
            .filter(pl.col("event") == "Email Sent", pl.col("occurred_at") >= now - timedelta(days=365))
            .select(
                "customer_id",
                "occurred_at",
                message_key=pl.col("properties").str.json_path_match("$.message_key"),
            )
            .collect()
        )

    def _addressed(
        self,
        chosen: pl.DataFrame,
        world: World,
        customers: pl.DataFrame,
        products: pl.DataFrame,
        lines: pl.DataFrame,
        events: pl.DataFrame,
        day: date,
    ) -> pl.DataFrame:
        """The chosen with products, hour and offer, without those who may not be mailed."""
        sellers = best_sellers(lines, products, datetime.combine(day, time()))
        at = local_times(
            customers.join(
                open_hours(events, customers, day), on="customer_id", how="left", maintain_order="left"
            ),
            day,
            pl.col("open_hour").fill_null(USUAL_HOUR),
        )
        offer = {rule.key: rule.offer for rule in RULES}
        mails = (
            shown(chosen, products, sellers)
            .join(at, on="customer_id", maintain_order="left")
            .with_columns(
                message_id=pl.format("rules-{}-{}", pl.lit(f"{day}"), "customer_id"),
                offer_key=pl.col("message_key").replace_strict(offer, return_dtype=pl.String),
                subject_variant=pl.lit("personal"),
                is_personal=pl.lit(True),
                tone=pl.lit("casual"),
                wave=pl.lit("rules"),
                propensity=pl.lit(1.0),
                propensity_offer=pl.lit(1.0),
            )
            .with_columns(
                discount_rate=pl.col("offer_key").replace_strict(DISCOUNT, return_dtype=pl.Float64),
                coupon=pl.when(pl.col("offer_key") != "none").then(
                    pl.format("BACK10-{}", pl.lit(f"{day:%y%m%d}"))
                ),
            )
        )
        everyone = world.people.customers.select("customer_id")
        row = everyone.with_row_index("row").join(mails.select("customer_id", "send_at"), on="customer_id")
        instant = np.zeros(everyone.height + 1, dtype=np.int64)
        instant[row["row"].to_numpy()] = row["send_at"].to_physical().to_numpy()
        may = world.state.may_mail(world.people, instant)[:-1]
        allowed = everyone.filter(pl.Series(may))
        return as_sends(mails.join(allowed, on="customer_id", how="semi", maintain_order="left")).sort(
            "customer_id"
        )


def rfm_segments(customers: pl.DataFrame, lines: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """customer_id, segment (prospect, best, regular, at_risk, lapsed), recency_days, category of most spend."""
    value = pl.col("price") * pl.col("quantity")
    per = lines.group_by("customer_id").agg(
        recency_days=(pl.lit(now) - pl.col("occurred_at").max()) / timedelta(days=1),
        monetary=value.sum(),
    )
    limit = per["monetary"].quantile(1 - BEST_SHARE) if per.height else 0.0
    return (
        customers.select("customer_id", "signed_up_at")
        .join(per, on="customer_id", how="left", maintain_order="left")
        .with_columns(
            segment=pl.when(pl.col("recency_days").is_null())
            .then(pl.lit("prospect"))
            .when(pl.col("recency_days") > LAPSED_DAYS)
            .then(pl.lit("lapsed"))
            .when(pl.col("recency_days") > AT_RISK_DAYS)
            .then(pl.lit("at_risk"))
            .when(pl.col("monetary") >= limit)
            .then(pl.lit("best"))
            .otherwise(pl.lit("regular"))
        )
    )


def _triggers(
    events: pl.DataFrame,
    lines: pl.DataFrame,
    customers: pl.DataFrame,
    segments: pl.DataFrame,
    products: pl.DataFrame,
    now: datetime,
) -> list[pl.DataFrame]:
    """customer_id, message_key, product_id (what it is about, or null) of each rule that holds today."""
    yesterday = events.filter(pl.col("occurred_at") >= now - timedelta(days=1), pl.col("occurred_at") < now)
    ordered = yesterday.filter(pl.col("event") == "Order Completed").select("customer_id").unique()

    def seen(event: str, least: int) -> pl.DataFrame:
        return (
            yesterday.filter(pl.col("event") == event)
            .group_by("customer_id", "product_id")
            .agg(n=pl.len(), at=pl.col("occurred_at").max())
            .filter(pl.col("n") >= least)
            .sort("customer_id", "at", "product_id", descending=[False, True, False])
            .unique("customer_id", keep="first", maintain_order=True)
            .join(ordered, on="customer_id", how="anti")
            .select("customer_id", "product_id")
        )

    def bought(window: tuple[int, int], only: pl.Expr) -> pl.DataFrame:
        return (
            lines.join(products.select("product_id", "is_consumable"), on="product_id")
            .filter(only)
            .sort("customer_id", "occurred_at", "product_id")
            .unique("customer_id", keep="last", maintain_order=True)
            .filter(
                pl.col("occurred_at") < now - timedelta(days=window[0]),
                pl.col("occurred_at") >= now - timedelta(days=window[1]),
            )
            .select("customer_id", "product_id")
        )

    new = customers.filter(pl.col("signed_up_at") >= now - timedelta(days=2)).select("customer_id")
    away = segments.filter(pl.col("segment").is_in(["at_risk", "lapsed"])).select("customer_id")
    last_bought = (
        lines.sort("occurred_at", "product_id").group_by("customer_id").agg(pl.col("product_id").last())
    )
    found = {
        "cart_abandoned": seen("Product Added", 1),
        "welcome": new,
        "replenishment": bought(REPLENISH_DAYS, pl.col("is_consumable").fill_null(False)),
        "browse_abandoned": seen("Product Viewed", 2),
        "cross_sell": bought(CROSS_SELL_DAYS, pl.lit(True)),
        "win_back": away.join(last_bought, on="customer_id", how="left"),
    }
    if now.weekday() == NEWSLETTER_WEEKDAY:
        active = segments.filter(pl.col("segment") != "lapsed").select("customer_id", "segment")
        found["newsletter"] = active.join(last_bought, on="customer_id", how="left").drop("segment")
    return [frame.with_columns(message_key=pl.lit(key)) for key, frame in found.items()]


def best_sellers(lines: pl.DataFrame, products: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """product_id, category, rank: what was bought most in 30 days and is in stock, the best first."""
    recent = lines.filter(pl.col("occurred_at") >= now - timedelta(days=30)).group_by("product_id").len("n")
    return (
        products.filter(pl.col("in_stock").fill_null(True), ~pl.col("is_sensitive").fill_null(False))
        .join(recent, on="product_id")
        .sort("n", "product_id", descending=[True, False])
        .select("product_id", "category")
        .with_row_index("rank")
    )


ABOUT_ITSELF = ("cart_abandoned", "replenishment", "browse_abandoned")


def shown(chosen: pl.DataFrame, products: pl.DataFrame, sellers: pl.DataFrame) -> pl.DataFrame:
    """Adds product_ids: the product a mail is about first, then what sells best of its category, then of all."""
    top = (
        sellers.sort("rank")
        .group_by("category", maintain_order=True)
        .agg(of_category=pl.col("product_id").head(SHOWN))
    )
    overall = sellers["product_id"].head(SHOWN).to_list()
    category = products.select("product_id", "category", is_sensitive=pl.col("is_sensitive").fill_null(False))
    about = (
        pl.col("message_key").is_in(ABOUT_ITSELF)
        & pl.col("product_id").is_not_null()
        & ~pl.col("is_sensitive")
    )
    empty = pl.lit([], dtype=pl.List(pl.String))
    listed = (
        chosen.join(category, on="product_id", how="left", maintain_order="left")
        .join(top, on="category", how="left", maintain_order="left")
        .with_columns(
            product_ids=pl.concat_list(
                pl.when(about).then(pl.concat_list("product_id")).otherwise(empty),
                pl.col("of_category").fill_null([]),
                pl.lit(overall, dtype=pl.List(pl.String)),
            )
        )
    )
    return listed.with_columns(pl.col("product_ids").list.unique(maintain_order=True).list.head(SHOWN))


def open_hours(events: pl.DataFrame, customers: pl.DataFrame, day: date) -> pl.DataFrame:
    """customer_id, open_hour: the local hour (0-23, within the hours of sending) in which he has opened most mails."""
    sent = events.filter(pl.col("event") == "Email Sent").select("message_id", sent_at="occurred_at")
    opens = (
        events.filter(pl.col("event") == "Email Opened")
        .join(sent, on="message_id")
        .filter(pl.col("occurred_at") - pl.col("sent_at") >= HUMAN_AFTER)
        .select("customer_id", "occurred_at")
    )
    noon = datetime.combine(day, time(12))
    shift = local_times(customers, day, 12).select("customer_id", shift=pl.lit(noon) - pl.col("send_at"))
    return (
        opens.join(shift, on="customer_id")
        .with_columns(hour=(pl.col("occurred_at") + pl.col("shift")).dt.hour().cast(pl.Int64))
        .group_by("customer_id", "hour")
        .len()
        .sort("customer_id", "len", "hour", descending=[False, True, False])
        .unique("customer_id", keep="first", maintain_order=True)
        .select("customer_id", open_hour=pl.col("hour").clip(FIRST_HOUR, LAST_HOUR))
    )
