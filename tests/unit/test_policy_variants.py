"""Subjects and tones: who may get which, with what chance, and what is learnt of them."""

from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_world import CATALOGUE, DAY, world

from models.policy import PlanInputs, PolicyConfig, empty_frame
from models.policy.emoji import customers_that_ignore
from models.policy.inputs import WORDING
from models.policy.variants import (
    VARIABLES,
    check_variants,
    choose_variant,
    known_variables,
    variant_chances,
)

CONFIG = PolicyConfig(DAY, explore_variant=0.0)
CONTEXT = ["message_key", "known", "segment", "avoids_emoji"]
EVERYTHING = (1 << len(VARIABLES)) - 1
WORLD = world(30)


def subjects(*rows: dict[str, object]) -> pl.DataFrame:
    """message_variants: plain subjects of message 'm' that need nothing, but for what a row says."""
    plain: dict[str, object] = {name: "short" if name == "length" else False for name in WORDING}
    return pl.DataFrame(
        [{"message_key": "m", "needs": [], **plain, **row} for row in rows],
        schema=dict(empty_frame("message_variants").schema),
    )


def answers(*rows: tuple[str, str, str, int, int, int]) -> pl.DataFrame:
    """feat_variant_history of (subject, tone, segment, age_hours, sends, opens)."""
    return pl.DataFrame(
        [("m", *row) for row in rows], schema=empty_frame("feat_variant_history").schema, orient="row"
    )


def inputs(variants: pl.DataFrame, history: pl.DataFrame, tones: tuple[str, ...] = ("warm",)) -> PlanInputs:
    stages = ["active", "loyal"]
    return replace(
        WORLD,
        feat_open_delays=pl.DataFrame({"delay_hours": [0, 20], "age_hours": [168] * 2, "n_opens": [10, 90]}),
        message_variants=variants,
        feat_variant_history=history,
        message_tones=pl.DataFrame(
            [("m", stage, tone) for stage in stages for tone in tones],
            schema=empty_frame("message_tones").schema,
            orient="row",
        ),
    )


def contexts(*rows: tuple[str, int, str, bool]) -> pl.DataFrame:
    return pl.DataFrame(
        rows,
        schema=dict(zip(CONTEXT, (pl.String, pl.Int64, pl.String, pl.Boolean), strict=True)),
        orient="row",
    )


def chances(given: PlanInputs, segment: str = "active", avoids_emoji: bool = False) -> dict[str, float]:
    found = variant_chances(contexts(("m", EVERYTHING, segment, avoids_emoji)), given, CONFIG)
    return dict(
        found.select(
            pl.concat_str("subject_variant", "tone", separator=" "), "propensity_variant"
        ).iter_rows()
    )


@settings(max_examples=10)
@given(known=st.lists(st.integers(0, EVERYTHING), min_size=1, max_size=4, unique=True), data=st.data())
def test_chances_sum_to_one_over_what_can_be_said(known: list[int], data: st.DataObject) -> None:
    message = data.draw(st.sampled_from(sorted(CATALOGUE.messages)))
    asked = contexts(
        *((message, bits | 1 << VARIABLES.index("n_products"), "loyal", bits % 2 == 0) for bits in known)
    ).unique()
    found = variant_chances(asked, WORLD, PolicyConfig(DAY, explore_variant=0.2, variant_draws=300))
    assert found.group_by(CONTEXT).len().height == asked.height
    total = found.group_by(CONTEXT).agg(pl.col("propensity_variant").sum())["propensity_variant"]
    assert total.to_list() == pytest.approx([1.0] * asked.height)
    n_options = pl.len().over(CONTEXT)
    assert found.select(((pl.col("propensity_mc_error") == 0) == (n_options == 1)).all()).item()
    assert found.select((pl.col("propensity_variant") > 0.199 / n_options).all()).item()
    needs = dict(
        WORLD.message_variants.select(
            pl.concat_str("message_key", "subject_variant", separator=" "), "needs"
        ).iter_rows()
    )
    for key, variant, bits in found.select("message_key", "subject_variant", "known").iter_rows():
        assert all(bits >> VARIABLES.index(name) & 1 for name in needs[f"{key} {variant}"])


def test_who_is_drawn_what_follows_the_chances() -> None:
    given = inputs(
        subjects({"subject_variant": "good"}, {"subject_variant": "poor"}),
        answers(("good", "warm", "active", 168, 150, 40), ("poor", "warm", "active", 168, 150, 32)),
    )
    n = 4_000
    people = pl.DataFrame({"customer_id": [f"c{i:05d}" for i in range(n)]}).with_columns(
        message_key=pl.lit("m"),
        lifecycle_stage=pl.lit("active"),
        known=pl.lit(EVERYTHING, pl.Int64),
        tries_evenly=pl.lit(False),
        u_variant=(pl.int_range(pl.len()) + 0.5) / n,
    )
    drawn = choose_variant(people, given, PolicyConfig(DAY, explore_variant=0.1))
    share = drawn.group_by("subject_variant").agg(
        share=pl.len() / n, chance=pl.col("propensity_variant").first()
    )
    assert share["share"].to_list() == pytest.approx(share["chance"].to_list(), abs=1 / n)
    assert 0.05 < drawn.filter(subject_variant="poor")["propensity_variant"][0] < 0.45
    assert drawn.filter("is_best_variant")["subject_variant"].unique().to_list() == ["good"]


def test_a_new_subject_starts_from_its_factors_and_a_retired_one_is_forgotten() -> None:
    variants = subjects(
        *({"subject_variant": f"ask_{i}", "is_question": True} for i in range(4)),
        *({"subject_variant": f"tell_{i}"} for i in range(4)),
    )
    old = answers(
        *((f"ask_{i}", "warm", "active", 168, 500, 160) for i in range(4)),
        *((f"tell_{i}", "warm", "active", 168, 500, 90) for i in range(4)),
    )
    new = subjects({"subject_variant": "new_ask", "is_question": True}, {"subject_variant": "new_tell"})
    alone = inputs(pl.concat([variants, new]), old)
    fresh = chances(replace(alone, message_variants=new, feat_variant_history=old.clear()))
    assert fresh["new_ask warm"] == pytest.approx(0.5, abs=0.05)
    learnt = chances(alone)
    assert learnt["new_ask warm"] > 5 * learnt["new_tell warm"]
    assert sum(learnt.values()) == pytest.approx(1.0)
    retired = answers(("gone", "warm", "active", 168, 500, 400))
    assert chances(replace(alone, feat_variant_history=pl.concat([old, retired]))) == learnt


def test_mails_of_this_morning_do_not_count_as_refused() -> None:
    variants = subjects({"subject_variant": "new"}, {"subject_variant": "old"})
    old = ("old", "warm", "active", 168, 1000, 200)
    young, stale = (
        inputs(variants, answers(old, ("new", "warm", "active", age, 100, 3))) for age in (1, 168)
    )
    assert chances(young)["new warm"] > 0.2
    assert chances(stale)["new warm"] < 0.02


def test_tones_are_tried_where_a_message_has_several() -> None:
    variants = subjects({"subject_variant": "a"}, {"subject_variant": "b"})
    history = answers(
        ("a", "warm", "active", 168, 2000, 600),
        ("a", "brief", "active", 168, 2000, 300),
        ("b", "unknown", "active", 168, 900, 200),
    )
    found = chances(inputs(variants, history, ("brief", "warm")))
    assert set(found) == {"a brief", "a warm", "b brief", "b warm"}
    assert found["a warm"] > found["a brief"] and found["b warm"] > found["b brief"]
    assert set(chances(inputs(variants, history))) == {"a warm", "b warm"}


def test_a_segment_that_ignores_emoji_gets_none_while_there_is_another() -> None:
    variants = subjects(
        *({"subject_variant": f"emoji_{i}", "has_emoji": True} for i in range(5)),
        *({"subject_variant": f"plain_{i}"} for i in range(5)),
    )
    rates = {
        ("active", "emoji"): 60,
        ("active", "plain"): 300,
        ("loyal", "emoji"): 320,
        ("loyal", "plain"): 300,
    }
    history = answers(
        *(
            (f"{kind}_{i}", "warm", segment, 168, 1000, opens)
            for (segment, kind), opens in rates.items()
            for i in range(5)
        )
    )
    given = inputs(variants, history)
    assert {name[:5] for name in chances(given, "active")} == {"plain"}
    assert {name[:5] for name in chances(given, "loyal")} == {"emoji", "plain"}
    assert {name[:5] for name in chances(given, "loyal", avoids_emoji=True)} == {"plain"}
    nothing_else = replace(given, message_variants=variants.filter("has_emoji"))
    assert {name[:5] for name in chances(nothing_else, "active", avoids_emoji=True)} == {"emoji"}


def test_a_customer_ignores_emoji_only_on_evidence() -> None:
    variants = subjects({"subject_variant": "emoji", "has_emoji": True}, {"subject_variant": "plain"})
    counts = {  # (sends, opens) with, without
        "average": ((20, 4), (20, 4)),
        "clear": ((20, 0), (20, 12)),
        "likes": ((20, 12), (20, 0)),
        "too few": ((4, 0), (40, 30)),
        "unclear": ((6, 0), (6, 2)),
        "never opens": ((30, 0), (30, 0)),
    }
    history = pl.DataFrame(
        [
            (who, "m", subject, *count)
            for who, pair in counts.items()
            for subject, count in zip(("emoji", "plain"), pair, strict=True)
        ],
        schema=empty_frame("feat_subject_history").schema,
        orient="row",
    )
    assert customers_that_ignore(history, variants).to_list() == ["clear"]
    retired = history.with_columns(pl.col("subject_variant").replace("emoji", "gone"))
    assert customers_that_ignore(retired, variants).to_list() == []
    assert customers_that_ignore(empty_frame("feat_subject_history"), variants).to_list() == []


def test_a_shop_without_history_gives_subjects_even_chances() -> None:
    variants = subjects({"subject_variant": "a"}, {"subject_variant": "b", "has_emoji": True})
    nothing = replace(inputs(variants, answers()), feat_open_delays=empty_frame("feat_open_delays"))
    assert chances(nothing) == pytest.approx({"a warm": 0.5, "b warm": 0.5}, abs=0.03)


def test_known_variables_are_bits_in_the_order_of_the_list() -> None:
    known = {name: pl.lit(name in ("first_name", "n_products")) for name in VARIABLES}
    assert pl.select(known_variables(known)).item() == 1 + (1 << VARIABLES.index("n_products"))


def test_a_message_without_a_subject_for_everyone_is_named() -> None:
    frames = CATALOGUE.frames()
    variants = frames["message_variants"].filter(
        ~((pl.col("message_key") == "welcome") & (pl.col("needs").list.len() == 0))
    )
    with pytest.raises(ValueError, match="message welcome has no subject for who has no name"):
        check_variants(frames["messages"], variants)
