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


def with_product_counts(candidates: pl.DataFrame, inputs: PlanInputs, config: PolicyConfig) -> pl.DataFrame:
    """Adds how many products each candidate would show, without choosing them.

    Returns:
        The candidates and n_products, n_context_products (of the trigger, not sensitive), has_enough_products; sorted by
        customer and message.
    """
    rows = _rows(candidates, inputs, config)
    mentioned = _mentioned(rows, inputs)
    showable = _showable(inputs)
    own = _own(mentioned, inputs).join(showable, on="product_id", how="semi")
    recommended = inputs.score_recommendations.select("customer_id", "product_id").join(
        showable, on="product_id", how="semi"
    )
    # Recommendations that are mentioned, or shown already as what goes with them, count once.
    named = pl.concat([own.select(*_KEY, "product_id"), mentioned.select(*_KEY, "product_id")]).unique()
    repeated = named.join(recommended, on=["customer_id", "product_id"], how="semi")
    counts = [
        own.group_by(_KEY).agg(n_own=pl.len()),
        repeated.group_by(_KEY).agg(n_repeated=pl.len()),
        mentioned.group_by(_KEY).agg(n_context_products=pl.len()),
    ]
    counted = rows.select(*_KEY, "limit", "min_products", "needs_context_product").join(
        recommended.group_by("customer_id").agg(n_recommended=pl.len()), on="customer_id", how="left"
    )
    for count in counts:
        counted = counted.join(count, on=_KEY, how="left")
    numbers = ("n_recommended", "n_own", "n_repeated", "n_context_products")
    counted = counted.with_columns(pl.col(numbers).fill_null(0).cast(pl.Int64)).with_columns(
        n_products=pl.min_horizontal(
            pl.col("n_own") + pl.col("n_recommended") - pl.col("n_repeated"), "limit"
        ).cast(pl.Int64)
    )
    return candidates.join(
        counted.select(
            *_KEY,
            "n_products",
            "n_context_products",
            has_enough_products=(pl.col("n_products") >= pl.col("min_products"))
            & (~pl.col("needs_context_product") | (pl.col("n_context_products") > 0)),
        ),
        on=_KEY,
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
        .sort(*_KEY, "tier", "position", "product_id")
        .unique([*_KEY, "product_id"], keep="first", maintain_order=True)
        .join(rows.select(*_KEY, "limit"), on=_KEY, maintain_order="left")
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
    return (
        candidates.join(chosen, on=_KEY, how="left")
        .join(context.agg(mentioned_id=pl.col("product_id").first()), on=_KEY, how="left")
        .with_columns(pl.col("product_ids", "product_sources", "product_scores").fill_null([]))
        .with_columns(subject_product_id=pl.coalesce("mentioned_id", pl.col("product_ids").list.first()))
        .drop("mentioned_id")
        .sort(_KEY)
    )


def _rows(candidates: pl.DataFrame, inputs: PlanInputs, config: PolicyConfig) -> pl.DataFrame:
    """The candidates with their messages' rules."""
    rules = inputs.messages.select(
        "message_key",
        "min_products",
        "needs_context_product",
        limit=pl.min_horizontal("max_products", pl.lit(config.max_products)),
        sources="product_sources",
    )
    return candidates.select(*_KEY, "context_product_ids").join(rules, on="message_key")


def _presentable(inputs: PlanInputs) -> pl.DataFrame:
    """Products that may be spoken of."""
    return inputs.feat_product.filter(~pl.col("is_sensitive").fill_null(False))


def _showable(inputs: PlanInputs) -> pl.DataFrame:
    """product_id of what may be shown."""
    return _presentable(inputs).filter(pl.col("is_available").fill_null(False)).select("product_id")


def _mentioned(rows: pl.DataFrame, inputs: PlanInputs) -> pl.DataFrame:
    """The products of the triggers that may be spoken of."""
    return _context(rows).join(_presentable(inputs).select("product_id"), on="product_id", how="semi")


def _own(mentioned: pl.DataFrame, inputs: PlanInputs) -> pl.DataFrame:
    """What stands in front of recommendations: the trigger's products, and what goes with them."""
    return pl.concat(
        [
            mentioned.filter(pl.col("sources").list.contains(CONTEXT)).select(
                *_KEY, "product_id", "position", tier=pl.lit(0)
            ),
            _companions(mentioned, inputs.feat_basket_pairs),
        ]
    ).with_columns(source=pl.when(pl.col("tier") == 0).then(pl.lit(CONTEXT)).otherwise(pl.lit(GOES_WITH)))


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
