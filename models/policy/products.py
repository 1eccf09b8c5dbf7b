"""What a candidate would show: the trigger's products, what goes with them, then recommendations by score.

Not here: how recommendations are scored.
"""

from __future__ import annotations

import polars as pl

from models.policy.config import PolicyConfig
from models.policy.inputs import PlanInputs

CONTEXT = "context"
GOES_WITH = "goes_with"

_KEY = ["customer_id", "message_key"]
_SHOWN = ["row", "product_id"]


def with_product_counts(candidates: pl.DataFrame, inputs: PlanInputs, config: PolicyConfig) -> pl.DataFrame:
    """Adds how many products each candidate would show, without choosing them.

    Returns:
        The candidates and n_products, has_enough_products; sorted by customer and message.
    """
    rows = _rows(candidates, inputs, config)
    mentioned = _mentioned(rows, inputs)
    showable = _showable(inputs)
    companions = _companions(mentioned, inputs.feat_basket_pairs).join(showable, on="product_id", how="semi")
    shown = mentioned.filter("shows_context").join(showable, on="product_id", how="semi")
    recommended = inputs.score_recommendations.select("customer_id", "product_id").join(
        showable, on="product_id", how="semi"
    )
    # Recommendations that are mentioned, or shown already as what goes with them, count once.
    repeated = (
        pl.concat([mentioned.select(_SHOWN), companions.select(_SHOWN)])
        .join(rows.select("row", "customer_id"), on="row")
        .join(recommended, on=["customer_id", "product_id"], how="semi")
    )
    counted = rows.select("row", "customer_id", "limit", "min_products", "needs_context_product").join(
        recommended.group_by("customer_id").agg(n_recommended=pl.len()),
        on="customer_id",
        how="left",
        maintain_order="left",
    )
    parts = {"n_mentioned": mentioned, "n_shown": shown, "n_with": companions, "n_repeated": repeated}
    for name, products in parts.items():
        count = products.group_by("row").agg(pl.len().alias(name))
        counted = counted.join(count, on="row", how="left", maintain_order="left")
    n_listed = pl.col("n_shown") + pl.col("n_with") + pl.col("n_recommended") - pl.col("n_repeated")
    counted = counted.with_columns(pl.col("n_recommended", *parts).fill_null(0).cast(pl.Int64)).with_columns(
        n_products=pl.min_horizontal(n_listed, "limit").cast(pl.Int64)
    )
    return candidates.with_columns(
        counted.select(
            "n_products",
            has_enough_products=(pl.col("n_products") >= pl.col("min_products"))
            & (~pl.col("needs_context_product") | (pl.col("n_mentioned") > 0)),
        )
    ).sort(_KEY)


def with_products(candidates: pl.DataFrame, inputs: PlanInputs, config: PolicyConfig) -> pl.DataFrame:
    """Adds what each candidate would show; products that are sensitive, unavailable or unknown are never
    shown.

    A message's `product_sources` says what may stand in front: 'context' (the products of its trigger, in
    the trigger's order) and 'goes_with' (bought together with them, by lift) come first, in this order, if
    named. The other slots are recommendations: named sources are preferred over unnamed ones, and what is
    taken stands by falling score. A message that does not name 'context' never shows the trigger's products,
    but speaks of the first of them.

    Returns:
        The candidates and product_ids, product_sources, product_scores (null where no recommendation), subject_product_id
        (what the mail speaks of: the trigger's first product that is not sensitive, else the first shown); sorted by
        customer and message.
    """
    rows = _rows(candidates, inputs, config)
    mentioned = _mentioned(rows, inputs)
    own = _own(mentioned, inputs).with_columns(score=pl.lit(None, dtype=pl.Float64))
    recommended = _recommended(rows, mentioned, inputs.score_recommendations)
    chosen = (
        pl.concat([own, recommended], how="diagonal")
        .join(_showable(inputs), on="product_id", how="semi")
        .sort("row", "tier", "position", "product_id")
        .unique(_SHOWN, keep="first", maintain_order=True)
        .join(rows.select("row", "limit"), on="row", maintain_order="left")
        .filter(pl.int_range(pl.len()).over("row") < pl.col("limit"))
        .with_columns(shown_tier=pl.col("tier").clip(upper_bound=2), shown_position=pl.col("position"))
        .with_columns(
            shown_position=pl.when(pl.col("shown_tier") == 2)
            .then(-pl.col("score"))
            .otherwise(pl.col("position"))
        )
        .sort("row", "shown_tier", "shown_position", "product_id")
        .group_by("row", maintain_order=True)
        .agg(product_ids="product_id", product_sources="source", product_scores="score")
    )
    context = mentioned.sort("row", "position").group_by("row", maintain_order=True)
    return (
        candidates.with_row_index("row")
        .join(chosen, on="row", how="left")
        .join(context.agg(mentioned_id=pl.col("product_id").first()), on="row", how="left")
        .with_columns(pl.col("product_ids", "product_sources", "product_scores").fill_null([]))
        .with_columns(subject_product_id=pl.coalesce("mentioned_id", pl.col("product_ids").list.first()))
        .drop("mentioned_id", "row")
        .sort(_KEY)
    )


def _rows(candidates: pl.DataFrame, inputs: PlanInputs, config: PolicyConfig) -> pl.DataFrame:
    """The candidates with their messages' rules, numbered by `row` in the order given: a short key for long lists."""
    rules = inputs.messages.select(
        "message_key",
        "min_products",
        "needs_context_product",
        limit=pl.min_horizontal("max_products", pl.lit(config.max_products)),
        sources="product_sources",
    )
    return (
        candidates.select(*_KEY, "context_product_ids")
        .with_row_index("row")
        .join(rules, on="message_key", how="left", maintain_order="left")
    )


def _presentable(inputs: PlanInputs) -> pl.DataFrame:
    """Products that may be spoken of."""
    return inputs.feat_product.filter(~pl.col("is_sensitive").fill_null(False))


def _showable(inputs: PlanInputs) -> pl.DataFrame:
    """product_id of what may be shown."""
    return _presentable(inputs).filter(pl.col("is_available").fill_null(False)).select("product_id")


def _mentioned(rows: pl.DataFrame, inputs: PlanInputs) -> pl.DataFrame:
    """The products of the triggers that may be spoken of: row, product_id, `position` from 0 in the trigger's order,
    shows_context, shows_companions (whether the message shows them, and what goes with them).
    """
    return (
        rows.filter(pl.col("context_product_ids").list.len() > 0)
        .select(
            "row",
            shows_context=pl.col("sources").list.contains(CONTEXT),
            shows_companions=pl.col("sources").list.contains(GOES_WITH),
            product_id="context_product_ids",
        )
        .explode("product_id")
        .with_columns(position=pl.int_range(pl.len()).over("row").cast(pl.Float64))
        .drop_nulls("product_id")
        .unique(_SHOWN, keep="first", maintain_order=True)
        .join(_presentable(inputs).select("product_id"), on="product_id", how="semi")
    )


def _own(mentioned: pl.DataFrame, inputs: PlanInputs) -> pl.DataFrame:
    """What stands in front of recommendations: the trigger's products, and what goes with them."""
    shown = mentioned.filter("shows_context").select(*_SHOWN, "position", tier=pl.lit(0))
    companions = _companions(mentioned, inputs.feat_basket_pairs).with_columns(tier=pl.lit(1))
    return pl.concat([shown, companions]).with_columns(
        source=pl.when(pl.col("tier") == 0).then(pl.lit(CONTEXT)).otherwise(pl.lit(GOES_WITH))
    )


def _companions(mentioned: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """What is bought together with a trigger's products, none of which is itself a companion; best lift
    first."""
    return (
        mentioned.filter("shows_companions")
        .join(pairs, on="product_id")
        .group_by("row", "other_product_id")
        .agg(position=-pl.col("lift").max())
        .rename({"other_product_id": "product_id"})
        .join(mentioned, on=_SHOWN, how="anti")
    )


def _recommended(rows: pl.DataFrame, mentioned: pl.DataFrame, recommendations: pl.DataFrame) -> pl.DataFrame:
    """Recommendations not among the trigger's products; tier 2 from the message's named sources, 3 from
    others."""
    return (
        rows.select("row", "customer_id", "sources")
        .join(recommendations.drop("model_version"), on="customer_id")
        .join(mentioned, on=_SHOWN, how="anti")
        .select(
            *_SHOWN,
            "source",
            "score",
            position=-pl.col("score"),
            tier=pl.when(pl.col("sources").list.contains(pl.col("source"))).then(2).otherwise(3),
        )
    )
