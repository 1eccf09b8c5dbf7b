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


def with_products(candidates: pl.DataFrame, inputs: PlanInputs, config: PolicyConfig) -> pl.DataFrame:
    """Adds what each candidate would show; products that are sensitive, unavailable or unknown are never
    shown.

    A message's `product_sources` says what may stand in front: 'context' (the products of its trigger, in
    the trigger's order) and 'goes_with' (bought together with them, by lift) come first, in this order, if
    named. The other slots are recommendations: named sources are preferred over unnamed ones, and what is
    taken stands by falling score. A message that does not name 'context' never shows the trigger's products,
    but speaks of the first of them.

    Returns:
        The candidates and product_ids, product_sources, product_scores (null where no recommendation),
        n_products, n_context_products (of the trigger, not sensitive), subject_product_id (what the mail
        speaks of: the trigger's first product that is not sensitive, else the first shown),
        has_enough_products.
    """
    rules = inputs.messages.select(
        "message_key",
        "min_products",
        "needs_context_product",
        limit=pl.min_horizontal("max_products", pl.lit(config.max_products)),
        sources="product_sources",
    )
    presentable = inputs.feat_product.filter(~pl.col("is_sensitive").fill_null(False))
    showable = presentable.filter(pl.col("is_available").fill_null(False)).select("product_id")
    rows = candidates.select(*_KEY, "context_product_ids").join(rules, on="message_key")

    mentioned = _context(rows).join(presentable.select("product_id"), on="product_id", how="semi")
    options = pl.concat(
        [
            mentioned.filter(pl.col("sources").list.contains(CONTEXT)).select(
                *_KEY, "product_id", "position", tier=pl.lit(0)
            ),
            _companions(mentioned, inputs.feat_basket_pairs),
        ]
    ).with_columns(
        source=pl.when(pl.col("tier") == 0).then(pl.lit(CONTEXT)).otherwise(pl.lit(GOES_WITH)),
        score=pl.lit(None, dtype=pl.Float64),
    )
    recommended = _recommended(rows, mentioned, inputs.score_recommendations)
    chosen = (
        pl.concat([options, recommended], how="diagonal")
        .join(showable, on="product_id", how="semi")
        .sort(*_KEY, "tier", "position", "product_id")
        .unique([*_KEY, "product_id"], keep="first", maintain_order=True)
        .join(rows.select(*_KEY, "limit"), on=_KEY)
        .filter(pl.int_range(pl.len()).over(_KEY) < pl.col("limit"))
        .with_columns(shown_tier=pl.col("tier").clip(upper_bound=2), shown_position=pl.col("position"))
        .with_columns(
            shown_position=pl.when(pl.col("shown_tier") == 2)
            .then(-pl.col("score"))
            .otherwise(pl.col("position"))
        )
        .sort(*_KEY, "shown_tier", "shown_position", "product_id")
        .group_by(_KEY, maintain_order=True)
        .agg(product_ids="product_id", product_sources="source", product_scores="score")
    )
    context = mentioned.sort(*_KEY, "position").group_by(_KEY, maintain_order=True)
    spoken_of = context.agg(n_context_products=pl.len(), mentioned_id=pl.col("product_id").first())
    return (
        candidates.join(
            rules.select("message_key", "min_products", "needs_context_product"), on="message_key"
        )
        .join(chosen, on=_KEY, how="left")
        .join(spoken_of, on=_KEY, how="left")
        .with_columns(
            pl.col("product_ids", "product_sources", "product_scores").fill_null([]),
            pl.col("n_context_products").fill_null(0).cast(pl.Int64),
        )
        .with_columns(
            n_products=pl.col("product_ids").list.len().cast(pl.Int64),
            subject_product_id=pl.coalesce("mentioned_id", pl.col("product_ids").list.first()),
        )
        .with_columns(
            has_enough_products=(pl.col("n_products") >= pl.col("min_products"))
            & (~pl.col("needs_context_product") | (pl.col("n_context_products") > 0))
        )
        .drop("mentioned_id", "min_products", "needs_context_product")
        .sort(_KEY)
    )


def _context(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per product of a trigger, `position` from 0 in the trigger's order."""
    return (
        rows.filter(pl.col("context_product_ids").list.len() > 0)
        .select(*_KEY, "sources", product_id="context_product_ids")
        .explode("product_id")
        .with_columns(position=pl.int_range(pl.len()).over(_KEY).cast(pl.Float64))
        .drop_nulls("product_id")
        .unique([*_KEY, "product_id"], keep="first", maintain_order=True)
    )


def _companions(mentioned: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """What is bought together with a trigger's products, none of which is itself a companion; best lift
    first."""
    return (
        mentioned.filter(pl.col("sources").list.contains(GOES_WITH))
        .join(pairs, on="product_id")
        .group_by(*_KEY, "other_product_id")
        .agg(position=-pl.col("lift").max())
        .rename({"other_product_id": "product_id"})
        .join(mentioned, on=[*_KEY, "product_id"], how="anti")
        .select(*_KEY, "product_id", "position", tier=pl.lit(1))
    )


def _recommended(rows: pl.DataFrame, mentioned: pl.DataFrame, recommendations: pl.DataFrame) -> pl.DataFrame:
    """Recommendations not among the trigger's products; tier 2 from the message's named sources, 3 from
    others."""
    preferences = (
        rows.select("message_key", "sources").unique("message_key", keep="first").sort("message_key")
    )
    return (
        rows.select(_KEY)
        .join(recommendations.drop("model_version"), on="customer_id")
        .join(mentioned, on=[*_KEY, "product_id"], how="anti")
        .join(preferences, on="message_key")
        .select(
            *_KEY,
            "product_id",
            "source",
            "score",
            position=-pl.col("score"),
            tier=pl.when(pl.col("sources").list.contains(pl.col("source"))).then(2).otherwise(3),
        )
    )
