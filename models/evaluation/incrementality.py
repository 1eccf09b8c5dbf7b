"""What mailing adds, beside what last touch says: per mail, by message, wording, offer, hour, segment or all.

Here: which rows are compared, and when a figure is told. Not here: means and errors (`arms`), how orders are counted
(`models.outcomes`), what another policy would earn (`models.evaluation.off_policy`).

Two comparisons, as a plan decides two things. For all and for segments: everybody outside the control group against its
members on the same days, mailed or not; membership is drawn by a hash, so nothing else tells them apart (intention to
treat). For what a mail is like: sends against members from whom the same message was held back (ghost mails, Johnson,
Lewis and Nubbemeyer 2017), message by message; where the plan drew the subject, the offer or the hour, each send is weighted
by the inverse of its chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import polars as pl

from models.evaluation.arms import Arms, Linear, adjusted, difference, treated_mean
from models.evaluation.off_policy.log import cluster_numbers
from models.model import require
from models.outcomes import MEASURES, OUTCOME_COLUMNS

MEMBERSHIP = "everybody against the control group"
SAME_MESSAGE = "sends against the same message held back"
WEIGHTED = "sends weighted by the chance of their {factor} against the same message held back"
NO_BASIS = "none"

ATTRIBUTED = {"orders": "n_attributed_orders", "revenue": "attributed_revenue"}
"""What last touch says of a measure."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """How mails are grouped.

    Attributes:
        level: the group of a row, as text; null: of no group.
        factor: the chance, in the outcomes, with which the level was drawn; None where it was not drawn.
        is_membership: whether everybody is compared, by his group on the first day; else sends alone.
    """

    level: pl.Expr
    factor: str | None = None
    is_membership: bool = False

    @property
    def basis(self) -> str:
        """The comparison in words."""
        if self.is_membership:
            return MEMBERSHIP
        if self.factor is None:
            return SAME_MESSAGE
        return WEIGHTED.format(factor=self.factor.removeprefix("propensity_").replace("_", " "))


DIMENSIONS: Mapping[str, Dimension] = MappingProxyType(
    {
        "all": Dimension(pl.lit("all"), is_membership=True),
        "segment": Dimension(pl.col("segment"), is_membership=True),
        "lifecycle_stage": Dimension(pl.col("lifecycle_stage"), is_membership=True),
        "message_key": Dimension(pl.col("message_key")),
        "subject_variant": Dimension(
            pl.concat_str("message_key", "subject_variant", separator=" / "), "propensity_variant"
        ),
        "offer_key": Dimension(pl.col("offer_key"), "propensity_offer"),
        "local_hour": Dimension(
            pl.col("local_hour").cast(pl.String).str.zfill(2) + ":00", "propensity_send_time"
        ),
    }
)
"""Groups that `by_dimension` knows."""


@dataclass(frozen=True)
class IncrementalityParams:
    """When a difference is told, and how sure it is.

    Attributes:
        level: nominal coverage of the intervals.
        min_customers: fewest customers in either arm.
        min_stratum: fewest customers in either arm with the same message, where messages are put together.
        min_buyers: fewest customers in either arm who ordered; below, an interval would be too short (a normal
            approximation of a count).
        is_adjusted: whether figures of before the first plan are taken out (CUPED).
    """

    level: float = 0.95
    min_customers: int = 50
    min_stratum: int = 10
    min_buyers: int = 10
    is_adjusted: bool = True

    def __post_init__(self) -> None:
        """Raises ValueError where no interval can be made so."""
        if not 0 < self.level < 1:
            raise ValueError(f"level must lie between 0 and 1, not {self.level}; 0.95 is usual")
        if min(self.min_customers, self.min_stratum) < 2 or self.min_buyers < 1:
            raise ValueError(
                "min_customers and min_stratum must be 2 or more and min_buyers 1 or more, not "
                f"{self.min_customers}, {self.min_stratum} and {self.min_buyers}"
            )


_FIGURES = (
    *("open_rate", "click_rate", "unsubscribe_rate"),
    *(f"attributed_{measure}_per_mail" for measure in ATTRIBUTED),
    *(
        f"incremental_{measure}_per_mail{part}"
        for measure in MEASURES
        for part in ("", "_low", "_high", "_standard_error")
    ),
    *(f"incremental_share_{measure}{part}" for measure in ATTRIBUTED for part in ("", "_low", "_high")),
    "variance_kept",
)

REPORT_SCHEMA: Mapping[str, pl.DataType] = MappingProxyType(
    {
        "dimension": pl.String(),
        "level": pl.String(),
        "first_plan_date": pl.Date(),
        "last_plan_date": pl.Date(),
        **dict.fromkeys(("n_planned", "n_sent", "n_opens", "n_clicks"), pl.Int64()),
        **dict.fromkeys(("n_customers", "n_control"), pl.Int64()),
        **dict.fromkeys(_FIGURES, pl.Float64()),
        "basis": pl.String(),
        "note": pl.String(),
    }
)
"""Columns of `by_dimension`."""


def by_dimension(
    outcomes: pl.DataFrame,
    dimensions: Iterable[str] = tuple(DIMENSIONS),
    params: IncrementalityParams | None = None,
) -> pl.DataFrame:
    """Last touch and what mailing adds side by side.

    The increment of a measure is the mean of those who may be mailed less that of the control group, divided by the mails
    sent to them: by customer and day of orders of that day (membership), or by mail of orders credited to it (same
    message, weighted over messages as the mails are). With CUPED (Deng, Xu, Kohavi and Walker 2013) the same difference of
    figures of before the first plan is taken out of it, times the slope within the arms: as nobody had been mailed then, it
    is 0 but for chance. Errors are linearised by customer, degrees of freedom after Welch and Satterthwaite.

    Args:
        outcomes: rows as `models.outcomes.outcomes_of` makes them; incomplete ones are left out.
        dimensions: some of DIMENSIONS.
        params: None: 95 %, at least 50 customers and 10 buyers in either arm.

    Returns:
        REPORT_SCHEMA, a row per level with mails or held-back mails. open_rate and click_rate: of mails whose answers are
        known. incremental_share: increment over attribution. variance_kept: variance of the increment in orders after CUPED
        over that before. Increments are null where `note` says why; `basis` names the comparison.
    """
    params = params or IncrementalityParams()
    require(outcomes, OUTCOME_COLUMNS, "incrementality")
    complete = outcomes.filter("is_complete").sort("plan_date", "customer_id")
    rows: list[dict[str, object]] = []
    for name in dimensions:
        dimension = DIMENSIONS[name]
        levelled = _levelled(complete, dimension)
        for level in levelled.get_column("level").drop_nulls().unique().sort():
            rows.append({"dimension": name, **_row(levelled, str(level), dimension, params)})
    return pl.DataFrame(rows, schema=dict(REPORT_SCHEMA))


def _levelled(outcomes: pl.DataFrame, dimension: Dimension) -> pl.DataFrame:
    """Adds `level`, of the mails' groups, and `message`, sent or held back."""
    # What somebody is later may come from his mails; on the first day it does not.
    first = dimension.level.first().over("customer_id")
    level = first if dimension.is_membership else pl.when(pl.col("action") == "send").then(dimension.level)
    return outcomes.with_columns(
        level=level, message=pl.coalesce("message_key", "control_message_key").fill_null("")
    )


def _row(
    rows: pl.DataFrame, level: str, dimension: Dimension, params: IncrementalityParams
) -> dict[str, object]:
    here = rows.filter(pl.col("level") == level)
    mails = here.filter(pl.col("action") == "send")
    found = {
        "level": level,
        "first_plan_date": here["plan_date"].min(),
        "last_plan_date": here["plan_date"].max(),
        **_last_touch(mails),
    }
    arms, notes = _arms(rows, level, dimension, params)
    found |= {"n_customers": arms.n_customers(treated=True), "n_control": arms.n_customers(treated=False)}
    reason = _too_few(arms, params)
    if reason:
        return {**found, "basis": NO_BASIS, "note": reason}
    return {**found, **_increments(arms, params), "basis": dimension.basis, "note": "; ".join(notes) or None}


def _last_touch(mails: pl.DataFrame) -> dict[str, object]:
    """Counts of mails, and rates and attribution per mail; null without mails."""
    sent = mails.filter("is_sent")
    known = sent.filter("has_behaviour")

    def mean(frame: pl.DataFrame, column: str) -> object:
        return frame.get_column(column).cast(pl.Float64).mean()

    return {
        "n_planned": mails.height,
        "n_sent": sent.height,
        "n_opens": int(known["is_human_open"].sum()),
        "n_clicks": int(known["is_human_click"].sum()),
        "open_rate": mean(known, "is_human_open"),
        "click_rate": mean(known, "is_human_click"),
        "unsubscribe_rate": mean(sent, "is_unsubscribed"),
        **{f"attributed_{measure}_per_mail": mean(known, column) for measure, column in ATTRIBUTED.items()},
    }


def _arms(
    rows: pl.DataFrame, level: str, dimension: Dimension, params: IncrementalityParams
) -> tuple[Arms, list[str]]:
    """The rows that are compared, and what is to be known of them."""
    rows = rows.filter("has_behaviour")
    notes = []
    if dimension.is_membership:
        pool = rows.filter(pl.col("level") == level).with_columns(
            treated=~pl.col("is_control"), stratum=pl.lit("all")
        )
    else:
        of_level = (pl.col("level") == level).fill_null(False)
        mails = rows.filter(of_level | (pl.col("action") == "control"))
        mails = mails.with_columns(treated=of_level, stratum="message")
        pool = _comparable(mails, params.min_stratum)
        n_mails = int(mails["treated"].sum())
        lost = n_mails - int(pool["treated"].sum())
        if lost:
            share = lost / n_mails
            notes.append(
                f"{share:.0%} of the mails left out: sent to, or held back from, fewer than {params.min_stratum}"
            )
    weight = (
        pl.lit(1.0)
        if dimension.factor is None
        else pl.when("treated").then(1 / pl.col(dimension.factor)).otherwise(1.0)
    )
    prefix = "day_" if dimension.is_membership else "credited_"
    columns = {
        **{measure: pl.col(f"{prefix}{measure}") for measure in MEASURES},
        **{f"pre_{measure}": pl.col(f"pre_{measure}").fill_null(0.0) for measure in MEASURES},
        **{f"attributed_{measure}": pl.col(column).fill_null(0.0) for measure, column in ATTRIBUTED.items()},
        "is_sent": pl.col("is_sent").cast(pl.Float64),
    }
    numbers = pool.select(weight=weight, **columns)
    arms = Arms(
        treated=pool["treated"].to_numpy(),
        stratum=pool["stratum"].rank("dense").cast(pl.Int64).to_numpy() - 1,
        cluster=cluster_numbers(pool["customer_id"]) if pool.height else np.empty(0, dtype=np.int64),
        weight=numbers["weight"].to_numpy(),
        columns={name: numbers[name].to_numpy() for name in columns},
    )
    if pool["pre_orders"].null_count() == pool.height:
        notes.append("not adjusted: the features of the first plan are not there")
    return arms, notes


def _comparable(mails: pl.DataFrame, min_stratum: int) -> pl.DataFrame:
    """Rows of the strata with enough customers in either arm: of a single one no spread is seen."""
    arms = mails.group_by("stratum", "treated").agg(n=pl.col("customer_id").n_unique())
    enough = arms.filter(pl.col("n") >= min_stratum).group_by("stratum").len().filter(pl.col("len") == 2)
    return mails.join(enough, on="stratum", how="semi", maintain_order="left")


def _too_few(arms: Arms, params: IncrementalityParams) -> str | None:
    """Why no increment can be told; None where it can."""
    if arms.treated.all():
        return (
            "nobody to compare with: no, or too few, members of the control group would have got these mails"
        )
    if not arms.columns["is_sent"].any():
        return "no mail is reported as sent"
    for treated, name in ((False, "in the control group"), (True, "who may be mailed")):
        n = arms.n_customers(treated=treated)
        if n < params.min_customers:
            return f"too few to tell: {n} customers {name}, {params.min_customers} are needed"
        n_buyers = arms.n_customers(treated=treated, column="orders")
        if n_buyers < params.min_buyers:
            return f"too few to tell: {n_buyers} customers {name} ordered, {params.min_buyers} are needed"
    return None


def _increments(arms: Arms, params: IncrementalityParams) -> dict[str, object]:
    """Increments per mail and their shares of what is attributed, with intervals."""
    found: dict[str, object] = {}
    mails = treated_mean(arms, "is_sent")
    for measure in MEASURES:
        plain = difference(arms, measure)
        apart = adjusted(arms, measure, f"pre_{measure}") if params.is_adjusted else plain
        if measure == "orders":
            found["variance_kept"] = apart.variance / plain.variance
        name = f"incremental_{measure}_per_mail"
        per_mail = apart.over(mails)
        found |= _told(name, per_mail, params) | {f"{name}_standard_error": math.sqrt(per_mail.variance)}
        attributed = f"attributed_{measure}"
        if measure in ATTRIBUTED and arms.n_customers(treated=True, column=attributed) >= params.min_buyers:
            share = apart.over(treated_mean(arms, attributed))
            found |= _told(f"incremental_share_{measure}", share, params)
    return found


def _told(name: str, figure: Linear, params: IncrementalityParams) -> dict[str, object]:
    low, high = figure.interval(params.level)
    return {name: figure.value, f"{name}_low": low, f"{name}_high": high}
