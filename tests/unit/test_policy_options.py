"""What the plan chose among: complete, and with the chances of the draw."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_world import DAY, eligible_world, world

from models.policy import OPTION_COLUMNS, PolicyConfig, decide_with_options

KEY = ["customer_id", "message_key", "offer_key"]


@settings(max_examples=6)
@given(
    n=st.integers(0, 80),
    seed=st.integers(0, 10_000),
    control=st.sampled_from([0.0, 0.3]),
    epsilon=st.sampled_from([0.0, 0.2, 1.0]),
)
def test_every_decision_is_among_its_options_with_its_chance(
    n: int, seed: int, control: float, epsilon: float
) -> None:
    config = PolicyConfig(
        DAY, control_share=control, explore_message=epsilon, explore_offer=epsilon, variant_draws=200
    )
    decided = decide_with_options(world(n, seed=seed), config)
    plan, options = decided.plan, decided.options
    assert options.columns == list(OPTION_COLUMNS)
    assert options.dtypes == [column.dtype for column in OPTION_COLUMNS.values()]
    assert options.equals(options.unique(KEY).sort(KEY))

    could_be_mailed = plan.filter(pl.col("action") != "hold")["customer_id"]
    assert options["customer_id"].unique().sort().equals(could_be_mailed)
    sums = options.group_by("customer_id").agg(pl.col("propensity").sum())["propensity"]
    assert sums.to_list() == pytest.approx([1.0] * len(sums))
    both = plan.filter(action="send").join(options, on=KEY, suffix="_option")
    assert both.height == plan.filter(action="send").height
    for name in ("propensity_message", "propensity_offer", "n_sent_7d", "margin_per_order", "trigger_key"):
        assert both[name].equals(both[f"{name}_option"].alias(name), null_equal=True)
    assert both["expected_margin"].to_list() == pytest.approx(both["net_value"].to_list())
    assert both["propensity"].to_list() == pytest.approx(
        both.select(
            pl.col("propensity_option") * pl.col("propensity_variant") * pl.col("propensity_send_time")
        )
        .to_series()
        .to_list()
    )


def test_what_is_drawn_comes_up_as_often_as_its_option_says() -> None:
    config = PolicyConfig(DAY, explore_message=0.5, explore_offer=0.5, control_share=0.0)
    decided = decide_with_options(eligible_world(2000), config)
    options = decided.options.join(
        decided.plan.select(KEY, is_chosen=pl.lit(True)), on=KEY, how="left"
    ).with_columns(pl.col("is_chosen").fill_null(False))
    rare = options.filter(pl.col("propensity") < 0.2)
    assert rare.height > 1000
    assert rare["is_chosen"].sum() == pytest.approx(rare["propensity"].sum(), rel=0.15)


def test_nothing_but_what_is_named_is_chosen_and_who_has_none_of_it_gets_nothing() -> None:
    inputs, config = eligible_world(40), PolicyConfig(DAY, control_share=0.0)
    options = decide_with_options(inputs, config).options.select(KEY)
    kept = options.group_by("customer_id", maintain_order=True).first().head(20)
    strangers = pl.DataFrame(
        {
            "customer_id": ["nobody", *kept["customer_id"].tail(2)],
            "message_key": ["weekly_picks", "no_message", kept["message_key"].tail(1).item()],
            "offer_key": ["none", "none", "no_offer"],
        }
    )
    among = pl.concat([kept.head(18), strangers])
    decided = decide_with_options(inputs, config, among)
    assert decided.options.select(KEY).equals(kept.head(18).sort(KEY))
    sent = decided.plan.filter(action="send").select(KEY)
    assert sent.sort(KEY).equals(kept.head(18).sort(KEY))
    assert decided.plan.height == 40
    nothing = decide_with_options(inputs, config, among.clear())
    assert nothing.options.is_empty() and set(nothing.plan["action"]) == {"hold"}


def test_the_page_names_every_column_with_its_meaning() -> None:
    page = (Path(__file__).parents[2] / "docs" / "policies.md").read_text()
    table = "\n".join(f"| `{name}` | {column.meaning} |" for name, column in OPTION_COLUMNS.items())
    assert f"|---|---|\n{table}\n\n" in page
