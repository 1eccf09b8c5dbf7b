"""One decision per customer: the files of this package, put together in order.

Not here: reading, rendering, publishing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import polars as pl

from models.policy import draws, segments
from models.policy.actions import CHOSEN_BY, Actions, choose_actions, limits_of, options_of
from models.policy.candidates import candidates as all_candidates
from models.policy.config import PolicyConfig
from models.policy.constraints import NOT_MAILABLE, may_go_out, with_pending, with_reason
from models.policy.control import in_control, with_message_control
from models.policy.explain import explain_holds, explain_sends
from models.policy.hour_capacity import choose_hour
from models.policy.inputs import PlanInputs
from models.policy.offers import NO_OFFER, allowed_offers, with_coupon
from models.policy.options import options_frame
from models.policy.overrides import REPLACE, with_overrides
from models.policy.plan_schema import PLAN_COLUMNS
from models.policy.products import with_product_counts, with_products
from models.policy.short_keys import short_keys, shortened
from models.policy.timezones import with_zone
from models.policy.timing import allowed_slots, choose_send_time
from models.policy.values import customer_economics, fatigue_cost, mail_value, unsubscribe_cost, with_values
from models.policy.variants import check_variants, choose_variant, known_variables

_DAILY_STREAMS = ("u_message", "u_offer", "u_variant", "u_explore", "u_hour", "u_minute")
PROPENSITIES = (
    "propensity_ticket",
    "propensity_message",
    "propensity_offer",
    "propensity_variant",
    "propensity_send_time",
)
"""Factors of the whole action's propensity, in the order in which they are drawn."""
_MAIL = ("customer_id", "message_key")
_READABLE = r"[\p{L}\p{N}]"


@dataclass(frozen=True, eq=False, slots=True)
class Decision:
    """A day decided.

    Attributes:
        plan: of `decide`.
        options: what the plan chose among; columns and meaning: `OPTION_COLUMNS`.
        actions: how the limits of the day were used.
    """

    plan: pl.DataFrame
    options: pl.DataFrame
    actions: Actions


def decide(inputs: PlanInputs, config: PolicyConfig) -> pl.DataFrame:
    """The send plan of a day, without subject and preheader, which are rendered where names are known.

    Returns:
        One row per customer of `feat_customer`, sorted by customer_id; columns and meaning: `PLAN_COLUMNS`.
        The same inputs, in any order of rows, give the same plan.

    Raises:
        ValueError: a message without a subject for everyone, or an explanation naming an unknown fact.
    """
    return decide_with_options(inputs, config).plan


def decide_with_options(
    inputs: PlanInputs, config: PolicyConfig, among: pl.DataFrame | None = None
) -> Decision:
    """`decide`, and every message and offer that could have been chosen, with its chance.

    Args:
        among: customer_id, message_key, offer_key: nothing else may be chosen, as if another policy had decided so. Who has
            none of these gets nothing.
    """
    check_variants(inputs.messages, inputs.message_variants)
    customers = _customers(inputs, config)
    slots = allowed_slots(customers.get_column("timezone").unique().to_list(), config)
    customers = customers.with_columns(
        has_allowed_time=pl.col("timezone").is_in(slots.get_column("timezone").unique().to_list())
    )
    candidates, customers, actions = _actions(inputs, customers, config, among)
    times = _times(actions, customers, slots, config)
    customers = customers.drop("p_open_by_hour")
    waiting = actions.chosen.join(times, on="customer_id", how="anti")
    chosen = _with_facts(
        actions.chosen.join(times, on="customer_id", how="semi"), candidates, customers, inputs.offers
    )
    sends = _complete(chosen.filter(~pl.col("is_control")), times, customers, inputs, config)
    customers = customers.with_columns(
        reason=pl.when(pl.col("customer_id").is_in(actions.without_room.to_list()))
        .then(pl.lit("no_room"))
        .when(pl.col("customer_id").is_in(waiting.get_column("customer_id").to_list()))
        .then(pl.lit("no_hour"))
        .otherwise("reason")
    )
    held = _held(customers, chosen, candidates, inputs, config).join(
        actions.lotteries, on="customer_id", how="left"
    )
    return Decision(
        _assemble(customers, sends, held, inputs, config),
        # For whom no hour has room the choice of a message was none.
        options_frame(
            actions.options.join(waiting, on="customer_id", how="anti", maintain_order="left"),
            candidates,
            customers,
            config,
        ),
        actions,
    )


def _customers(inputs: PlanInputs, config: PolicyConfig) -> pl.DataFrame:
    """Everything known of each customer, and his draws."""
    joined = inputs.feat_customer
    for frame in (
        inputs.feat_eligibility,
        inputs.score_value.drop("model_version"),
        inputs.score_churn.drop("model_version"),
        inputs.score_send_time.drop("model_version").rename({"basis": "send_time_basis"}),
        inputs.personal,
    ):
        joined = joined.join(frame, on="customer_id", how="left")
    joined = customer_economics(with_zone(joined.sort("customer_id")), config)
    ids = joined.get_column("customer_id")
    joined = joined.with_columns(
        pl.col("profiling_allowed").fill_null(False),
        in_control(ids, salt=config.salt, share=config.control_share),
        *draws.uniforms(ids, seed=config.seed, streams=_DAILY_STREAMS),
        *draws.uniforms(ids, seed=config.salt, streams=["u_spread"]),
        segment=segments.segment(),
    )
    return with_pending(joined, inputs.pending_sends, config)


def _valued_candidates(
    inputs: PlanInputs, customers: pl.DataFrame, config: PolicyConfig
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Candidates with how much they show, what they are worth without an offer and with their usual one; the offers they may
    carry."""
    found = with_product_counts(all_candidates(inputs, customers, config), inputs, config)
    valued = with_values(found, customers, inputs.response, config)
    allowed = allowed_offers(valued, inputs.messages, inputs.offers, inputs.score_offer)
    usual = allowed.filter("is_usual_offer").select(*_MAIL, "offer_margin")
    valued = (
        valued.with_columns(mail_value=mail_value(config))
        .join(usual, on=_MAIL)
        .with_columns(net_value=pl.col("mail_value") + pl.col("offer_margin"))
    )
    return valued, allowed


def _actions(
    inputs: PlanInputs, customers: pl.DataFrame, config: PolicyConfig, among: pl.DataFrame | None
) -> tuple[pl.DataFrame, pl.DataFrame, Actions]:
    """Candidates, customers with the reason for which one may not be mailed, and message and offer of everyone else."""
    candidates, customers, options = _options(inputs, customers, config, among)
    n_mailable = customers.filter(pl.col("reason").is_in(NOT_MAILABLE).fill_null(False).not_()).height
    limits = limits_of(inputs.messages, inputs.offers, n_mailable, config)
    return candidates, customers, choose_actions(options, limits, config)


def _options(
    inputs: PlanInputs, customers: pl.DataFrame, config: PolicyConfig, among: pl.DataFrame | None
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Candidates, customers with the reason for which one may not be mailed, and what may be chosen for everyone else."""
    candidates, allowed = _valued_candidates(inputs, customers, config)
    candidates, customers = with_overrides(candidates, customers, inputs, config)
    candidates = with_message_control(candidates, customers, inputs.messages, config)
    if among is not None:
        allowed = allowed.join(among, on=(*_MAIL, "offer_key"), how="semi")
        candidates = candidates.join(allowed, on=_MAIL, how="semi", maintain_order="left")
    keys = short_keys(inputs)
    allowed = shortened(allowed, keys)
    customers = with_reason(customers, candidates, config)
    draws_of = customers.filter(pl.col("reason").is_null()).select("customer_id", "u_message", "u_offer")
    feasible = candidates.filter(may_go_out()).select(CHOSEN_BY).join(draws_of, on="customer_id")
    return candidates, customers, options_of(shortened(feasible, keys), allowed)


def _with_facts(
    chosen: pl.DataFrame, candidates: pl.DataFrame, customers: pl.DataFrame, offers: pl.DataFrame
) -> pl.DataFrame:
    """What was chosen with what is known of the candidate and the offer, and whether it is one of the control group."""
    facts = [name for name in candidates.columns if name not in chosen.columns]
    return (
        chosen.join(candidates.select(*_MAIL, *facts), on=_MAIL, maintain_order="left")
        .join(customers.select("customer_id", "is_control"), on="customer_id", maintain_order="left")
        .join(offers.drop("max_per_day", "cost_per_day"), on="offer_key", maintain_order="left")
    )


def _times(
    actions: Actions, customers: pl.DataFrame, slots: pl.DataFrame, config: PolicyConfig
) -> pl.DataFrame:
    """When each chosen mail goes out; for which no hour has room are left out.

    Members of the control group take room as if they were mailed, and who waits hangs on no draw: else who goes out would
    tell what was drawn, and no logged chance would hold.
    """
    columns = ("customer_id", "timezone", "p_open_by_hour", "n_sends", "u_explore", "u_hour", "u_minute")
    readers = actions.worth.join(customers.select(columns), on="customer_id").join(
        actions.chosen, on="customer_id", how="semi"
    )
    choose_time = choose_send_time if config.mails_per_hour is None else choose_hour
    return choose_time(readers, slots, config)


def _complete(
    chosen: pl.DataFrame,
    times: pl.DataFrame,
    customers: pl.DataFrame,
    inputs: PlanInputs,
    config: PolicyConfig,
) -> pl.DataFrame:
    """The whole action for each chosen message and offer: layout, articles, subject and tone, time, explanation."""
    chosen = with_products(chosen, inputs, config)
    own = [column for column in customers.columns if column not in chosen.columns]
    sends = chosen.join(customers.select("customer_id", *own), on="customer_id").rename(
        {"label": "offer_label"}
    )
    sends = _with_layout(with_coupon(sends, config), inputs, config)
    sends = _with_subject_product(sends, inputs)
    sends = choose_variant(sends.with_columns(known=_known(config)), inputs, config)
    sends = sends.with_columns(expected_margin=pl.col("mail_value") + pl.col("offer_margin"))
    sends = sends.join(times, on="customer_id").sort("customer_id")
    best = ["is_best_message", "is_best_offer", "is_best_variant", "is_best_time"]
    sends = sends.with_columns(
        unsubscribe_cost=unsubscribe_cost(config),
        fatigue_cost=fatigue_cost(config),
        propensity=pl.reduce(lambda chance, factor: chance * factor, [pl.col(name) for name in PROPENSITIES]),
        explored=~pl.all_horizontal(best),
        message_id=_message_ids(sends, config),
        reason=pl.when(~pl.col("is_best_message"))
        .then(pl.lit("exploration"))
        .when(pl.col("override_kind") == REPLACE)
        .then(pl.lit("chosen_by_person"))
        .otherwise("source"),
    )
    return explain_sends(sends, inputs.messages)


def _with_layout(sends: pl.DataFrame, inputs: PlanInputs, config: PolicyConfig) -> pl.DataFrame:
    """Adds layout, the message's first that the products and articles at hand can fill, content_ids, and content_source, of
    the first of them.
    """
    articles = (
        inputs.score_contents.filter(pl.col("rank") <= config.max_contents)
        .sort("customer_id", "rank", "content_id")
        .group_by("customer_id", maintain_order=True)
        .agg(article_ids="content_id", article_source=pl.col("source").first())
    )
    sends = sends.join(articles, on="customer_id", how="left").with_columns(
        pl.col("article_ids").fill_null([])
    )
    layouts = (
        sends.select("customer_id", "message_key", "n_products", n_articles=pl.col("article_ids").list.len())
        .join(inputs.message_layouts, on="message_key")
        .filter(
            pl.col("n_products") >= pl.col("min_products"),
            ~pl.col("has_article") | (pl.col("n_articles") > 0),
        )
        .sort("customer_id", "position")
        .unique("customer_id", keep="first", maintain_order=True)
        .select("customer_id", "layout", "has_article")
    )
    return (
        sends.join(layouts, on="customer_id", how="left")
        .with_columns(
            content_ids=pl.when("has_article").then("article_ids").otherwise([]),
            content_source=pl.when("has_article").then("article_source"),
        )
        .drop("article_ids", "article_source", "has_article")
    )


def _with_subject_product(sends: pl.DataFrame, inputs: PlanInputs) -> pl.DataFrame:
    products = inputs.feat_product.select(
        subject_product_id="product_id",
        subject_product_name="name",
        subject_category="category",
        subject_brand="brand",
    )
    return sends.join(products, on="subject_product_id", how="left")


def _known(config: PolicyConfig) -> pl.Expr:
    """Which subject variables a row can fill and may name; a text without a letter or digit is no text."""

    def readable(column: str) -> pl.Expr:
        return pl.col(column).str.contains(_READABLE).fill_null(False)

    known = {
        "first_name": pl.col("has_first_name").fill_null(False),
        "product_name": readable("subject_product_name"),
        "product_brand": readable("subject_brand"),
        "category": readable("subject_category"),
        "city": pl.col("has_city").fill_null(False),
        "days_since_last_order": pl.col("days_since_last_order").is_not_null(),
        "n_orders": (pl.col("n_orders") > 0).fill_null(False),
        "offer_label": (pl.col("offer_key") != NO_OFFER) & readable("offer_label"),
        "n_products": pl.lit(True),
        "content_title": pl.col("content_ids").list.len() > 0,
    }
    return known_variables(known | dict.fromkeys(config.hidden_variables, pl.lit(False)))


def _message_ids(sends: pl.DataFrame, config: PolicyConfig) -> pl.Series:
    """An id in the form of a UUID from day, customer and message."""
    identity = sends.select(pl.concat_str("customer_id", "message_key", separator="\x1f")).to_series()
    digest = draws.digests(identity, seed=config.seed, stream="message_id")
    lengths = (8, 4, 4, 4, 12)
    starts = [sum(lengths[:i]) for i in range(len(lengths))]
    parts = [pl.col("digest").str.slice(start, length) for start, length in zip(starts, lengths, strict=True)]
    return pl.DataFrame({"digest": digest}).select(pl.concat_str(parts, separator="-")).to_series()


def _held(
    customers: pl.DataFrame,
    chosen: pl.DataFrame,
    candidates: pl.DataFrame,
    inputs: PlanInputs,
    config: PolicyConfig,
) -> pl.DataFrame:
    """Everyone who gets nothing, with action, reason and explanation."""
    in_control_group = chosen.filter("is_control").select("customer_id", control_message_key="message_key")
    held = (
        customers.join(in_control_group, on="customer_id", how="left")
        .with_columns(
            reason=pl.coalesce(
                "reason", pl.when(pl.col("control_message_key").is_not_null()).then(pl.lit("control"))
            )
        )
        .filter(pl.col("reason").is_not_null())
    )
    return explain_holds(held, candidates, inputs.messages, config).with_columns(
        action=pl.when(pl.col("reason") == "control").then(pl.lit("control")).otherwise(pl.lit("hold"))
    )


def _assemble(
    customers: pl.DataFrame, sends: pl.DataFrame, held: pl.DataFrame, inputs: PlanInputs, config: PolicyConfig
) -> pl.DataFrame:
    """Sends and everyone else below the columns of the plan."""
    certain = {name: pl.lit(1.0) for name in ("propensity", *PROPENSITIES)}
    by_lot = pl.col("reason").is_in(["no_room", "no_hour", "control"])
    lottery = pl.when(by_lot).then("lottery_chance").otherwise(1.0)
    certain |= {"propensity": lottery, "propensity_ticket": lottery}
    plan = pl.concat(
        [
            sends.with_columns(action=pl.lit("send")),
            held.with_columns(**certain, explored=pl.lit(False), propensity_mc_error=pl.lit(0.0)),
        ],
        how="diagonal",
    ).with_columns(
        plan_date=pl.lit(config.plan_date),
        policy_version=pl.lit(config.version),
        model_versions=pl.lit(_model_versions(inputs)),
    )
    if plan.height != customers.height or plan.get_column("customer_id").n_unique() != customers.height:
        raise RuntimeError(
            f"{customers.height} customers got {plan.height} decisions; each must get exactly one"
        )
    return plan.select(pl.col(name).cast(column.dtype) for name, column in PLAN_COLUMNS.items()).sort(
        "customer_id"
    )


def _model_versions(inputs: PlanInputs) -> str:
    """Every score table's model version as JSON, null where a table is empty."""
    versions = {}
    for name in ("churn", "contents", "offer", "recommendations", "send_time", "value"):
        frame: pl.DataFrame = getattr(inputs, f"score_{name}")
        found = frame.get_column("model_version").drop_nulls().unique().sort().to_list()
        versions[name] = ", ".join(found) or None
    return json.dumps(versions, sort_keys=True)
