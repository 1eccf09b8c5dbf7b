"""Which subject and tone a mail gets: Thompson sampling among the subjects whose every word can be filled.

What is learnt of a question, a name or an emoji in one subject holds for others too (`models.bandit`), so that a new one
is not tried blindly. Not here: the words (mail/messages, mail/grammar.yaml), their rendering (mail/subjects), who gets no
emoji (`emoji`).
"""

from __future__ import annotations

import polars as pl

from models.bandit import BanditParams, DelayCurve, FactorBandit, with_exposure
from models.policy import draws
from models.policy.choice import draw_one
from models.policy.config import PolicyConfig
from models.policy.emoji import HAS_EMOJI, customers_that_ignore, segments_that_ignore
from models.policy.inputs import WORDING, PlanInputs

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

ANSWER_HOURS = 7 * 24.0
"""An open after that is none; `variant_answer_days` of the dbt project."""

_KEY = ["customer_id", "message_key"]
_VARIANT = ["message_key", "subject_variant"]
_WORDS = ["subject_variant", "tone"]
_CONTEXT = ["message_key", "known", "segment", "avoids_emoji"]
_CHOICE = ["message_key", "segment", "arms"]


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


def fit_variants(
    history: pl.DataFrame, delays: pl.DataFrame, variants: pl.DataFrame, config: PolicyConfig
) -> FactorBandit:
    """What is believed of every subject and tone after the answers so far; those still to come do not count as refusals.

    Args:
        history: `feat_variant_history`; subjects that `variants` does not have have retired and are left out.
        delays: `feat_open_delays`.
        variants: message_key, subject_variant, `WORDING`.
        config: for the draws and the share of exploration.
    """
    params = BanditParams(
        arm=(*_VARIANT, "tone"),
        own=(tuple(_VARIANT),),
        factors=(*WORDING, "tone"),
        segments=("segment",),
        baselines=("message_key",),
        explore=config.explore_variant,
        n_draws=config.variant_draws,
    )
    curve = DelayCurve.fit(
        delays.get_column("delay_hours"),
        delays.get_column("age_hours"),
        counts=delays.get_column("n_opens"),
        window_hours=ANSWER_HOURS,
    )
    answers = history.join(variants.select(*_VARIANT, *WORDING), on=_VARIANT).with_columns(
        n_success=pl.min_horizontal("n_human_opens", "n_sent")
    )
    return FactorBandit(params).fit(with_exposure(answers, curve))


def variant_options(
    contexts: pl.DataFrame, variants: pl.DataFrame, tones: pl.DataFrame, no_emoji_in: list[str]
) -> pl.DataFrame:
    """The subjects and tones that may be chosen in each context.

    A subject with an emoji is left out where the customer or his segment ignores them, as long as there is another.

    Args:
        contexts: distinct message_key, known (bits of `known_variables`), segment, avoids_emoji.
        variants: message_key, subject_variant, needs, `WORDING`.
        tones: message_key, lifecycle_stage, tone.
        no_emoji_in: segments that get no emoji.

    Returns:
        The contexts' columns, subject_variant, tone, `WORDING`, arms (the same text for the same options).
    """
    has_emoji, avoids = pl.col(HAS_EMOJI), pl.col("avoids_emoji") | pl.col("segment").is_in(no_emoji_in)
    return (
        contexts.join(
            variants.with_columns(needs=_bits(pl.col("needs"))), on="message_key", maintain_order="left"
        )
        .filter((pl.col("known") & pl.col("needs")) == pl.col("needs"))
        .filter(~(has_emoji & avoids) | has_emoji.all().over(_CONTEXT))
        .join(tones.rename({"lifecycle_stage": "segment"}), on=["message_key", "segment"])
        .sort(*_CONTEXT, *_WORDS)
        .with_columns(
            arms=pl.concat_str("subject_variant", "tone", separator=" ").str.join(",").over(_CONTEXT)
        )
        .drop("needs")
    )


def variant_chances(contexts: pl.DataFrame, inputs: PlanInputs, config: PolicyConfig) -> pl.DataFrame:
    """The chance of each subject and tone in each context; they sum to 1 within one.

    Contexts in which the same may be chosen share their chances.

    Args:
        contexts: distinct message_key, known (bits of `known_variables`), segment, avoids_emoji.
        inputs: histories, subjects and tones.
        config: for seed, draws and share.

    Returns:
        The contexts' columns, subject_variant, tone, propensity_variant (of both together), propensity_mc_error,
        is_best_variant (nothing else in the context is expected to be opened more).
    """
    bandit = fit_variants(
        inputs.feat_variant_history, inputs.feat_open_delays, inputs.message_variants, config
    )
    options = variant_options(
        contexts, inputs.message_variants, inputs.message_tones, segments_that_ignore(bandit, "segment")
    )
    chances = bandit.chances(
        options.unique([*_CHOICE, *_WORDS]),
        by=_CHOICE,
        rng=draws.generator(seed=config.seed, stream="variant"),
    ).select(
        *_CHOICE,
        *_WORDS,
        propensity_variant="propensity",
        propensity_mc_error=(1.0 - config.explore_variant) * pl.col("mc_error"),
        is_best_variant="is_best",
    )
    return options.select(*_CONTEXT, "arms", *_WORDS).join(chances, on=[*_CHOICE, *_WORDS]).drop("arms")


def choose_variant(chosen: pl.DataFrame, inputs: PlanInputs, config: PolicyConfig) -> pl.DataFrame:
    """Adds subject_variant, tone, propensity_variant, propensity_mc_error and is_best_variant of `variant_chances`.

    chosen: customer_id, message_key, lifecycle_stage, known, tries_evenly, u_variant; a customer once. Who tries evenly gets
    any of what may be chosen, by the same chance.
    """
    ignoring = customers_that_ignore(
        inputs.feat_subject_history, inputs.message_variants.select(*_VARIANT, HAS_EMOJI)
    )
    readers = chosen.select(
        *_KEY,
        "known",
        "u_variant",
        "tries_evenly",
        segment="lifecycle_stage",
        avoids_emoji=pl.col("customer_id").is_in(ignoring.to_list()),
    )
    chances = variant_chances(readers.select(_CONTEXT).unique(), inputs, config)
    evenly = pl.col("tries_evenly")
    weighed = readers.join(chances, on=_CONTEXT).with_columns(
        propensity_variant=pl.when(evenly).then(1.0 / pl.len().over(_KEY)).otherwise("propensity_variant"),
        propensity_mc_error=pl.when(evenly).then(0.0).otherwise("propensity_mc_error"),
    )
    drawn = draw_one(
        weighed,
        by=_KEY,
        order=_WORDS,
        chance="propensity_variant",
        uniform="u_variant",
    )
    return chosen.join(drawn.drop("known", "u_variant", "tries_evenly", "segment", "avoids_emoji"), on=_KEY)
