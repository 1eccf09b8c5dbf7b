"""Which subject a mail gets: Thompson sampling among the variants whose every word can be filled.

Not here: the words (mail/messages), their rendering (mail/subjects). Source: Thompson 1933; Chapelle and Li 2011, "An
empirical evaluation of Thompson sampling"; the chances are worked out before the draw so that they can be logged.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.policy import draws
from models.policy.choice import draw_one
from models.policy.config import PolicyConfig

ALWAYS_KNOWN = frozenset({"n_products"})
VARIABLES = (
    "first_name",
    "product_name",
    "product_brand",
    "category",
    "city",
    "days_since_last_order",
    "n_orders",
    "offer_label",
    "n_products",
    "content_title",
)
"""What a subject may speak of; `mail.variables` holds the same names with their meaning."""

_KEY = ["customer_id", "message_key"]


def _bits(names: pl.Expr) -> pl.Expr:
    """A list of variable names as an integer with one bit for each."""
    bits = {name: 1 << position for position, name in enumerate(VARIABLES)}
    return names.list.eval(pl.element().replace_strict(bits, return_dtype=pl.Int64)).list.sum().fill_null(0)


def known_variables(known: dict[str, pl.Expr]) -> pl.Expr:
    """Which of `VARIABLES` a row can fill, as bits; `known` has a boolean expression for each."""
    return pl.sum_horizontal(
        pl.when(known[name]).then(1 << position).otherwise(0) for position, name in enumerate(VARIABLES)
    ).cast(pl.Int64)


def check_variants(messages: pl.DataFrame, variants: pl.DataFrame) -> None:
    """Raises ValueError unless every message has a subject that fits every customer."""
    everywhere = variants.filter(pl.col("needs").list.set_difference(list(ALWAYS_KNOWN)).list.len() == 0)
    stuck = messages.join(everywhere, on="message_key", how="anti").get_column("message_key").sort().to_list()
    if stuck:
        raise ValueError(
            f"message {', '.join(stuck)} has no subject for who has no name, product or order on file; "
            "add one that uses no variable but n_products"
        )


def win_chances(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of draws (rows) in which each variant (column) is the best; the shares sum to 1."""
    wins = np.bincount(samples.argmax(axis=1), minlength=samples.shape[1])
    shares: NDArray[np.float64] = wins / samples.shape[0]
    return shares


def variant_chances(
    eligible: pl.DataFrame, variants: pl.DataFrame, history: pl.DataFrame, config: PolicyConfig
) -> pl.DataFrame:
    """The chance of each variant in each group of customers who can be told the same.

    A variant's open rate has the posterior Beta(1 + opens, 1 + sends - opens). Its chance is that of being
    the best of the eligible ones, by `variant_draws` seeded draws, mixed with `explore_variant` shared
    evenly.

    Args:
        eligible: distinct message_key, known (bits of `known_variables`).
        variants: message_key, subject_variant, needs.
        history: message_key, subject_variant, n_sent, n_human_opens.
        config: for seed, draws and share.

    Returns:
        message_key, known, subject_variant, propensity_variant, is_best_variant (no eligible one has a higher
        posterior mean).
    """
    posteriors = (
        variants.join(history, on=["message_key", "subject_variant"], how="left")
        .with_columns(pl.col("n_sent", "n_human_opens").fill_null(0))
        .select(
            "message_key",
            "subject_variant",
            needs=_bits(pl.col("needs")),
            opened=1.0 + pl.min_horizontal("n_human_opens", "n_sent"),
            unopened=1.0 + (pl.col("n_sent") - pl.col("n_human_opens")).clip(lower_bound=0),
        )
        .sort("message_key", "subject_variant")
        .with_columns(column=pl.int_range(pl.len()).over("message_key"))
    )
    groups = (
        eligible.join(posteriors, on="message_key")
        .filter((pl.col("known") & pl.col("needs")) == pl.col("needs"))
        .sort("message_key", "known", "subject_variant")
    )
    samples = {
        str(message): draws.generator(seed=config.seed, stream=f"variant {message}").beta(
            rows["opened"].to_numpy(), rows["unopened"].to_numpy(), size=(config.variant_draws, rows.height)
        )
        for (message,), rows in posteriors.group_by("message_key", maintain_order=True)
    }
    scored = [
        rows.with_columns(win=pl.Series(win_chances(samples[str(message)][:, rows["column"].to_numpy()])))
        for (message, _), rows in groups.group_by("message_key", "known", maintain_order=True)
    ]
    mean = pl.col("opened") / (pl.col("opened") + pl.col("unopened"))
    group = ["message_key", "known"]
    return (
        pl.concat([groups.with_columns(win=pl.lit(0.0)).clear(), *scored])
        .with_columns(
            propensity_variant=config.explore_variant / pl.len().over(group)
            + (1.0 - config.explore_variant) * pl.col("win"),
            is_best_variant=mean == mean.max().over(group),
        )
        .select(*group, "subject_variant", "propensity_variant", "is_best_variant")
    )


def choose_variant(
    chosen: pl.DataFrame, variants: pl.DataFrame, history: pl.DataFrame, config: PolicyConfig
) -> pl.DataFrame:
    """Adds subject_variant, propensity_variant and is_best_variant to rows with message_key, known,
    u_variant."""
    group = ["message_key", "known"]
    chances = variant_chances(chosen.select(group).unique(), variants, history, config)
    options = chosen.select(*_KEY, "known", "u_variant").join(chances, on=group)
    drawn = draw_one(
        options, by=_KEY, order=["subject_variant"], chance="propensity_variant", uniform="u_variant"
    ).drop("known", "u_variant")
    return chosen.join(drawn, on=_KEY)
