"""Champion models applied to the customers of a day: one table per question."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from assets.audiences import conditioned_customers
from assets.mail_files import MailFolder
from assets.metadata import table
from assets.owners import DATA_SCIENCE
from assets.partitions import daily, one_day_per_run
from assets.registry import Registry, Version
from assets.training import (
    CATEGORY_PROPENSITY,
    CHURN,
    CONTENT_RECOMMENDATIONS,
    LIFETIME_VALUE,
    OFFER_RESPONSE,
    RECOMMENDATIONS,
    SEGMENTS,
    SEND_TIME,
)
from models.contents import ContentSnapshot, ServedContents
from models.propensity import score_customers
from models.recommend import Snapshot
from models.recommend.mail_slots import lists_and_slots
from models.recommend.served import ServedRecommender
from models.replenishment import ShrunkGap
from models.response import ResponseModel
from models.send_time import send_hour_profile

CODE_VERSION = "1"


class NoChampionError(LookupError):
    """A question has no champion as of a day."""


_TABLE: dict[str, Any] = {
    "group_name": "scores",
    "io_manager_key": "scores_io",
    "owners": DATA_SCIENCE,
    "code_version": CODE_VERSION,
}


def _inputs(features: tuple[str, ...], model: str | None) -> dict[str, Any]:
    """What is read: features from Parquet, the champion's asset upstream; one day per run."""
    return {
        "partitions_def": daily,
        "backfill_policy": one_day_per_run,
        "ins": {name: dg.AssetIn(input_manager_key="features_io") for name in features},
        "deps": [model] if model else [],
    }


def _spec(features: tuple[str, ...], model: str | None, kinds: set[str]) -> dict[str, Any]:
    """What the assets of one score table have in common."""
    return {**_TABLE, **_inputs(features, model), "kinds": kinds}


@dg.asset(**_spec(("feat_customer",), LIFETIME_VALUE, {"polars", "mlflow"}))
def score_value(
    context: dg.AssetExecutionContext, registry: dg.ResourceParam[Registry], feat_customer: pl.DataFrame
) -> dg.Output[pl.DataFrame]:
    """Orders and margin of the next 90 days, lifetime value (margin of the next 365), each with an 80 % interval."""
    version = _champion(context, registry, LIFETIME_VALUE)
    scores = registry.load(version).predict(feat_customer).drop("as_of")
    return _output(_versioned(scores, version), "lifetime_value")


@dg.asset(**_spec(("feat_customer",), CHURN, {"polars", "mlflow"}))
def score_churn(
    context: dg.AssetExecutionContext, registry: dg.ResourceParam[Registry], feat_customer: pl.DataFrame
) -> dg.Output[pl.DataFrame]:
    """Probability of no order within 90 days per customer, why, and the chance that one who has lapsed returns."""
    version = _champion(context, registry, CHURN)
    scores = registry.load(version).predict(feat_customer).drop("as_of", "horizon_days")
    return _output(_versioned(scores, version), "churn_risk")


@dg.asset(**_spec(("feat_customer", "feat_send_hours"), SEND_TIME, {"polars", "mlflow"}))
def score_send_time(
    context: dg.AssetExecutionContext,
    registry: dg.ResourceParam[Registry],
    feat_customer: pl.DataFrame,
    feat_send_hours: pl.DataFrame,
) -> dg.Output[pl.DataFrame]:
    """Probability of a human open within 24 hours, by local hour of the week of sending (0 = Monday 00:00)."""
    version = _champion(context, registry, SEND_TIME)
    scores = registry.load(version).predict(send_hour_profile(feat_customer, feat_send_hours))
    return _output(_versioned(scores, version), "n_sends")


@dg.multi_asset(
    name="score_products",
    outs={
        "score_recommendations": dg.AssetOut(
            description="The ten best products per customer, in order, each with the source it comes from.",
            kinds={"polars", "mlflow"},
            **_TABLE,
        ),
        "score_slots": dg.AssetOut(
            description="Up to four products per customer and slot of a mail, in order: for you, bought together, completes "
            "the look, recently viewed, buy again. A customer without a slot's reason has no rows of it.",
            kinds={"polars", "mlflow"},
            **_TABLE,
        ),
    },
    **_inputs(("feat_customer", "feat_interactions", "feat_product", "feat_basket_pairs"), RECOMMENDATIONS),
)
def score_products(
    context: dg.AssetExecutionContext,
    registry: dg.ResourceParam[Registry],
    feat_customer: pl.DataFrame,
    feat_interactions: pl.DataFrame,
    feat_product: pl.DataFrame,
    feat_basket_pairs: pl.DataFrame,
) -> Iterator[dg.Output[pl.DataFrame]]:
    """What a customer is shown, as one list and by slot, from one look at the shop."""
    version = _champion(context, registry, RECOMMENDATIONS)
    day = date.fromisoformat(context.partition_key)
    snapshot = Snapshot(day, feat_interactions, feat_product, feat_basket_pairs)
    served = registry.load(version)
    if not isinstance(served, ServedRecommender):
        raise TypeError(
            f"models:/{version.label} holds a {type(served).__name__}, not a recommender; train it again"
        )
    lists, slots = lists_and_slots(served.recommender, snapshot, feat_customer.select("customer_id"))
    yield _output(_versioned(lists, version, ["customer_id", "rank"]), "score", "score_recommendations")
    yield _output(_versioned(slots, version, ["customer_id", "slot", "rank"]), "score", "score_slots")


@dg.asset(
    **_spec(
        ("feat_customer", "feat_content_reads", "feat_content", "feat_interactions", "feat_product"),
        CONTENT_RECOMMENDATIONS,
        {"polars", "mlflow"},
    )
)
def score_contents(
    context: dg.AssetExecutionContext,
    registry: dg.ResourceParam[Registry],
    feat_customer: pl.DataFrame,
    feat_content_reads: pl.DataFrame,
    feat_content: pl.DataFrame,
    feat_interactions: pl.DataFrame,
    feat_product: pl.DataFrame,
) -> dg.Output[pl.DataFrame]:
    """The five best articles, videos or events per customer that he has not read, in order, each with its source."""
    version = _champion(context, registry, CONTENT_RECOMMENDATIONS)
    day = date.fromisoformat(context.partition_key)
    snapshot = ContentSnapshot(day, feat_content_reads, feat_content, feat_interactions, feat_product)
    served = registry.load(version)
    if not isinstance(served, ServedContents):
        raise TypeError(
            f"models:/{version.label} holds a {type(served).__name__}, nothing that recommends contents; train it again"
        )
    scores = served.recommender.predict(snapshot, feat_customer.select("customer_id"))
    return _output(_versioned(scores, version, ["customer_id", "rank"]), "score")


@dg.asset(
    **_spec(("feat_customer", "feat_interactions", "feat_product"), CATEGORY_PROPENSITY, {"polars", "mlflow"})
)
def score_propensity(
    context: dg.AssetExecutionContext,
    registry: dg.ResourceParam[Registry],
    feat_customer: pl.DataFrame,
    feat_interactions: pl.DataFrame,
    feat_product: pl.DataFrame,
) -> dg.Output[pl.DataFrame]:
    """Probability of a purchase within 14 days per customer and category, and per subcategory (null: all of them)."""
    version = _champion(context, registry, CATEGORY_PROPENSITY)
    scores = score_customers(registry.load(version), feat_customer, feat_interactions, feat_product)
    return _output(_versioned(scores, version, ["customer_id", "category", "subcategory"]), "p_purchase_14d")


@dg.asset(**_spec(("feat_customer", "dim_customer_profile"), SEGMENTS, {"polars", "mlflow", "duckdb"}))
def score_segments(
    context: dg.AssetExecutionContext,
    registry: dg.ResourceParam[Registry],
    mail_folder: dg.ResourceParam[MailFolder],
    feat_customer: pl.DataFrame,
    dim_customer_profile: pl.DataFrame,
) -> dg.Output[pl.DataFrame]:
    """Segments of each customer: the learnt one (`learnt_<id>`), and the marketer's whose condition he meets."""
    version = _champion(context, registry, SEGMENTS)
    learnt = registry.load(version).predict(feat_customer)
    known = conditioned_customers(feat_customer, dim_customer_profile)
    own = mail_folder.audiences(known).members(known)
    scores = pl.concat(
        [
            learnt.select(
                "customer_id",
                segment_key=pl.format("learnt_{}", "segment_id"),
                segment="segment",
                source=pl.lit("learnt"),
                model_version=pl.lit(version.label),
            ),
            own.with_columns(source=pl.lit("marketer"), model_version=pl.lit(None, dtype=pl.String)),
        ]
    ).sort("customer_id", "segment_key")
    sizes = scores.group_by("source", "segment_key", "segment").len("customers").sort("source", "segment_key")
    return dg.Output(scores, metadata={"sizes": table(sizes)})


@dg.asset(**_spec(("feat_customer", "feat_message_history"), None, {"polars"}))
def score_response(
    mail_folder: dg.ResourceParam[MailFolder], feat_customer: pl.DataFrame, feat_message_history: pl.DataFrame
) -> dg.Output[pl.DataFrame]:
    """Rates of opening, clicking, ordering and leaving per customer and message; null where nothing was ever sent."""
    messages = mail_folder.catalogue().frames()["messages"]
    asked = feat_customer.select("customer_id").join(messages.select("message_key"), how="cross")
    scores = ResponseModel().fit(feat_message_history, messages, feat_customer).predict(asked)
    return _output(scores.sort("customer_id", "message_key"), "p_open")


@dg.asset(**_spec(("feat_repurchases",), None, {"polars"}))
def score_replenishment(feat_repurchases: pl.DataFrame) -> dg.Output[pl.DataFrame]:
    """When each customer needs a product again that is used up or that he buys repeatedly."""
    scores = ShrunkGap().fit(feat_repurchases).predict(feat_repurchases).drop("as_of")
    return _output(scores.sort("customer_id", "product_id"), "gap_days")


@dg.asset(**_spec(("feat_customer",), OFFER_RESPONSE, {"polars", "mlflow"}))
def score_offer(
    context: dg.AssetExecutionContext,
    registry: dg.ResourceParam[Registry],
    mail_folder: dg.ResourceParam[MailFolder],
    feat_customer: pl.DataFrame,
) -> dg.Output[pl.DataFrame]:
    """What each offer adds per mail, in chance to order and in margin net of its cost, per customer; price sensitivity."""
    version = _champion(context, registry, OFFER_RESPONSE)
    offers = mail_folder.catalogue().frames()["offers"].select("offer_key", "percent", "fixed_cost")
    asked = feat_customer.join(offers, how="cross")
    scores = registry.load(version).predict(asked)
    return _output(_versioned(scores, version, ["customer_id", "offer_key"]), "uplift_margin")


def _champion(context: dg.AssetExecutionContext, registry: Registry, question: str) -> Version:
    """The champion as of the partition's day.

    Raises:
        NoChampionError: nothing was trained for a week on or before it.
    """
    version = registry.champion(question, date.fromisoformat(context.partition_key))
    if version is None:
        raise NoChampionError(
            f"no model answers '{question}' as of {context.partition_key}; "
            f"train one first: sendplan train --as-of {context.partition_key}"
        )
    for output in sorted(context.selected_output_names):
        context.add_output_metadata({"model": version.label, "method": version.method}, output)
    return version


def _versioned(scores: pl.DataFrame, version: Version, key: list[str] | None = None) -> pl.DataFrame:
    return scores.with_columns(model_version=pl.lit(version.label)).sort(key or ["customer_id"])


def _output(scores: pl.DataFrame, column: str, name: str = "result") -> dg.Output[pl.DataFrame]:
    """The table with a preview and the spread of its main column; `name` where a step has several tables."""
    spread = scores.select(pl.col(column)).describe()
    # No ids: the event log keeps what it is told.
    preview = scores.select(pl.exclude("customer_id", "p_open_by_hour"))
    return dg.Output(scores, name, metadata={"preview": table(preview), column: table(spread)})
