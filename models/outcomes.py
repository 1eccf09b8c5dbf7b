"""What became of planned decisions: one row per plan row, with the mail's results and the customer's orders.

Here: windows, and which order counts for which row. Not here: what mailing adds (`models.evaluation.incrementality`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from types import MappingProxyType

import polars as pl

from models.model import require
from models.policy.plan_schema import PLAN_COLUMNS, Column

PLANNED = (
    *("plan_date", "customer_id", "action", "reason", "is_control", "message_key", "control_message_key"),
    *("trigger_key", "subject_variant", "tone", "layout", "offer_key", "segment", "lifecycle_stage"),
    *("send_at", "message_id", "propensity", "propensity_message", "propensity_offer"),
    *("propensity_variant", "propensity_send_time", "explored", "expected_margin", "policy_version"),
)
"""Columns of the plan that go with its outcomes."""

_FLAG = pl.Boolean()
_COUNT = pl.Float64()
_MONEY = pl.Float64()
MEASURES = ("orders", "revenue", "margin")
COUNTED = {
    "": "Of all orders of his within the window",
    "day_": "Of orders within the first 24 hours of the window: over days, each order counts once",
    "credited_": "Of each order within the window an equal part for every send and every mail held back as control "
    "whose window it lies in: over mails, each order counts once; null for hold",
    "pre_": "Of the 365 days before the shop's first plan, which no plan has touched",
}
"""Ways in which orders are counted, by prefix; each with MEASURES after it."""

OUTCOME_COLUMNS: Mapping[str, Column] = MappingProxyType(
    {
        **{name: PLAN_COLUMNS[name] for name in PLANNED},
        "local_hour": Column(
            pl.Int8(), "Hour of sending on the recipient's clock, 0 to 23; null unless sent."
        ),
        "is_sent": Column(_FLAG, "Whether the mail's sending was reported; false for hold and control."),
        "is_delivered": Column(_FLAG, "Whether its delivery was reported; null if not sent."),
        "is_human_open": Column(
            _FLAG, "Whether a person opened it; null if not sent or profiling is refused."
        ),
        "is_human_click": Column(
            _FLAG, "Whether a person clicked in it; null if not sent or profiling is refused."
        ),
        "is_unsubscribed": Column(_FLAG, "Whether he unsubscribed through it; null if not sent."),
        "is_complained": Column(_FLAG, "Whether he marked it as spam; null if not sent."),
        "has_behaviour": Column(
            _FLAG, "Whether profiling is allowed; if not, no figure about his orders is given."
        ),
        **{
            ("n_orders" if not prefix and measure == "orders" else f"{prefix}{measure}"): Column(
                _COUNT if measure == "orders" else _MONEY, f"{meaning}: {measure}, before refunds."
            )
            for prefix, meaning in COUNTED.items()
            for measure in MEASURES
        },
        "n_attributed_orders": Column(
            _COUNT,
            "Orders within the window that this mail was the last touch of; null for hold and control.",
        ),
        "attributed_revenue": Column(_MONEY, "Their revenue."),
        "is_complete": Column(_FLAG, "Whether the window was over."),
        "as_of": Column(pl.Date(), "Only what occurred before its 00:00 UTC is used."),
    }
)
"""What `outcomes_of` returns; money is in the shop's currency, times are UTC."""


@dataclass(frozen=True, slots=True)
class OutcomeParams:
    """From when on which results count.

    Attributes:
        as_of: only what occurred before its 00:00 UTC is used.
        window_start: UTC time of a plan date from which its 24 hours of sending begin, and its window of results.
        attribution_days: length of the window after these 24 hours, days.
        late_days: days after a window's end during which late events may still correct its results.
    """

    as_of: date
    window_start: time
    attribution_days: int
    late_days: int = 7

    def __post_init__(self) -> None:
        """Raises ValueError for lengths that cannot be."""
        if self.attribution_days < 1 or self.late_days < 0:
            raise ValueError(
                f"attribution_days must be 1 or more and late_days 0 or more, not {self.attribution_days} and "
                f"{self.late_days}"
            )

    @property
    def window_days(self) -> int:
        """Length of a plan's window of results, from its first minute of sending on."""
        return self.attribution_days + 1

    @property
    def outcome_days(self) -> int:
        """Plans of so many days before `as_of` get outcomes: until they are complete, and late events are in."""
        return self.window_days + 1 + self.late_days

    @property
    def first_plan_date(self) -> date:
        """The oldest plan that gets outcomes."""
        return self.as_of - timedelta(days=self.outcome_days)

    @property
    def first_read_date(self) -> date:
        """The oldest plan whose window reaches into one of theirs; `credited_` asks for its mails."""
        return self.first_plan_date - timedelta(days=self.window_days)

    @property
    def midnight(self) -> datetime:
        """The first moment that is not known."""
        return datetime.combine(self.as_of, time())


def outcomes_of(
    plans: pl.DataFrame,
    *,
    messages: pl.DataFrame,
    orders: pl.DataFrame,
    customers: pl.DataFrame,
    before: pl.DataFrame | None,
    params: OutcomeParams,
) -> pl.DataFrame:
    """Each plan row with what happened before `params.as_of`.

    Args:
        plans: rows of published plans with PLANNED and send_at_local; those before `params.first_read_date`, or from
            `as_of` on, are left out. A plan of before `control_message_key` was published may lack it.
        messages: message_id, sent_at, is_delivered, is_human_open, is_click, is_unsubscribed, is_complained.
        orders: order_id, customer_id, message_id (last touch), revenue, margin, ordered_at.
        customers: customer_id, has_behaviour; who is not in it may not be looked at.
        before: customer_id and the `pre_` figures at the first plan of the shop; None where they are not known.
        params: windows.

    Returns:
        OUTCOME_COLUMNS, one row per row of the plans from `params.first_plan_date` on; sorted by plan_date, customer_id.
    """
    require(plans, [*(set(PLANNED) - {"control_message_key"}), "send_at_local"], "outcomes")
    midnight = params.midnight
    planned = (
        pl.concat([_empty(), plans], how="diagonal")
        .filter(
            (pl.col("plan_date") >= params.first_read_date) & (pl.col("plan_date") < pl.lit(params.as_of))
        )
        .with_columns(start=pl.col("plan_date").dt.combine(params.window_start))
        .with_columns(end=pl.col("start") + timedelta(days=params.window_days))
    )
    known = orders.filter(pl.col("ordered_at") < midnight)
    results = messages.filter(pl.col("sent_at") < midnight).select(
        "message_id",
        "is_delivered",
        "is_human_open",
        "is_unsubscribed",
        "is_complained",
        is_human_click="is_click",
        is_sent=pl.lit(True),
    )
    counted = _counted(planned, known)
    rows = (
        planned.filter(pl.col("plan_date") >= params.first_plan_date)
        .join(customers.select("customer_id", "has_behaviour"), on="customer_id", how="left")
        .join(results, on="message_id", how="left")
        .join(counted, on=["plan_date", "customer_id"], how="left")
        .join(_attributed(planned, known), on="message_id", how="left")
    )
    rows = (
        rows.join(before, on="customer_id", how="left")
        if before is not None
        else rows.with_columns(**{f"pre_{measure}": None for measure in MEASURES})
    )
    return _finished(rows, params, has_before=before is not None)


def _empty() -> pl.DataFrame:
    schema = {name: PLAN_COLUMNS[name].dtype for name in (*PLANNED, "send_at_local")}
    return pl.DataFrame(schema=schema)


def _counted(planned: pl.DataFrame, orders: pl.DataFrame) -> pl.DataFrame:
    """n_orders, revenue, margin and the `day_` and `credited_` figures per plan_date and customer with an order."""
    in_window = (
        planned.select("plan_date", "customer_id", "action", "start", "end")
        .join(orders.select("order_id", "customer_id", "revenue", "margin", "ordered_at"), on="customer_id")
        .filter((pl.col("ordered_at") >= pl.col("start")) & (pl.col("ordered_at") < pl.col("end")))
        .sort("plan_date", "customer_id", "ordered_at", "order_id")
        .with_columns(orders=pl.lit(1.0), is_mail=pl.col("action").is_in(["send", "control"]))
        .with_columns(n_mails=pl.col("is_mail").sum().over("customer_id", "order_id"))
    )
    is_first_day = pl.col("ordered_at") < pl.col("start") + timedelta(days=1)
    return in_window.group_by("plan_date", "customer_id", maintain_order=True).agg(
        n_orders=pl.col("orders").sum(),
        revenue=pl.col("revenue").sum(),
        margin=pl.col("margin").sum(),
        **{f"day_{measure}": pl.col(measure).filter(is_first_day).sum() for measure in MEASURES},
        **{
            f"credited_{measure}": (pl.col(measure) / pl.col("n_mails")).filter("is_mail").sum()
            for measure in MEASURES
        },
    )


def _attributed(planned: pl.DataFrame, orders: pl.DataFrame) -> pl.DataFrame:
    """n_attributed_orders and attributed_revenue per message_id with an order in its window."""
    return (
        orders.drop_nulls("message_id")
        .sort("ordered_at", "order_id")
        .join(planned.select("message_id", "start", "end"), on="message_id", maintain_order="left")
        .filter((pl.col("ordered_at") >= pl.col("start")) & (pl.col("ordered_at") < pl.col("end")))
        .group_by("message_id", maintain_order=True)
        .agg(n_attributed_orders=pl.len().cast(pl.Float64), attributed_revenue=pl.col("revenue").sum())
    )


def _finished(rows: pl.DataFrame, params: OutcomeParams, *, has_before: bool) -> pl.DataFrame:
    """Nulls where nothing can be known, zeros where nothing happened."""
    allowed = pl.col("has_behaviour")
    is_mail = pl.col("action").is_in(["send", "control"])
    zero_if = {
        **dict.fromkeys(("n_orders", "revenue", "margin"), allowed),
        **{f"day_{measure}": allowed for measure in MEASURES},
        **{f"credited_{measure}": allowed & is_mail for measure in MEASURES},
        **{f"pre_{measure}": allowed & pl.lit(has_before) for measure in MEASURES},
        **dict.fromkeys(
            ("n_attributed_orders", "attributed_revenue"), allowed & (pl.col("action") == "send")
        ),
    }
    return (
        rows.with_columns(
            allowed.fill_null(False),
            pl.col("is_sent").fill_null(False),
            local_hour=pl.col("send_at_local").dt.hour(),
            is_complete=pl.col("end") <= params.midnight,
            as_of=pl.lit(params.as_of),
        )
        .with_columns(
            pl.when(allowed).then("is_human_open"),
            pl.when(allowed).then("is_human_click"),
            *(pl.when(known).then(pl.col(name).fill_null(0.0)) for name, known in zero_if.items()),
        )
        .select(pl.col(name).cast(column.dtype) for name, column in OUTCOME_COLUMNS.items())
        .sort("plan_date", "customer_id")
    )
