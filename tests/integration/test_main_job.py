"""The main job from the landing folder to what a marketer reads: the plan, its database, the models behind it."""

import json
from datetime import date, datetime, time, timedelta

import duckdb
import mlflow
import polars as pl
import pytest
from conftest import Replanned
from planned_shop import DAY, LATER, WEEK, Shop

from assets.audiences import FEATURES, PROFILE, conditioned_customers, documented_customers
from assets.mail import MARKETERS_TABLES
from assets.training import (
    CHURN,
    CONTENT_RECOMMENDATIONS,
    LIFETIME_VALUE,
    OFFER_RESPONSE,
    RECOMMENDATIONS,
    SEND_TIME,
)
from models.recommend.mail_slots import SLOTS

CONTRACT = (
    *("plan_date", "customer_id", "action", "reason", "message_key", "trigger_key", "lifecycle_stage"),
    *("segment", "send_at", "send_at_local", "timezone", "subject", "preheader", "tone", "subject_variant"),
    *("layout", "product_ids", "product_sources", "content_ids", "offer_key", "coupon", "p_open", "p_click"),
    *("p_purchase", "expected_margin", "lifetime_value", "churn_risk", "unsubscribe_risk", "propensity"),
    *("propensity_message", "propensity_variant", "propensity_offer", "propensity_send_time", "explored"),
    *("explanation", "policy_version", "model_versions", "message_id"),
)
METHODS = {
    "lifetime_value": {"mean_value", "recent_spend", "bg_nbd_value", "value_model"},
    "churn": {"base_rate", "recency_rule", "bg_nbd_churn", "churn_model"},
    "send_time": {"population_curve", "most_frequent_hour", "best_hour_90d", "send_time"},
    "recommendations": {"popular", "buy_again", "item_neighbours", "als", "ease", "blend", "ranker"},
    "content_recommendations": {
        *("popular_contents", "topic_match", "product_interests", "title_likeness", "read_together"),
        *("ease", "content_ranker"),
    },
    "category_propensity": {"category_rate", "last_category", "affinity_rule", "category_propensity"},
    "offer_response": {"pooled", "discount_share", "t_learner", "x_learner", "dr_learner", "offer_response"},
}
METRIC = {
    "lifetime_value": "margin_gini",
    "churn": "log_loss",
    "send_time": "log_loss",
    "recommendations": "ndcg_10",
    "content_recommendations": "ndcg_5",
    "category_propensity": "log_loss",
    "offer_response": "rank_gain",
}
WINDOW_START = datetime.combine(DAY, time(2))


@pytest.fixture(scope="module")
def plan(shop: Shop) -> pl.DataFrame:
    return shop.plan()


@pytest.fixture(scope="module")
def sends(plan: pl.DataFrame) -> pl.DataFrame:
    return plan.filter(pl.col("action") == "send")


def landed(shop: Shop, table: str) -> pl.DataFrame:
    return pl.read_parquet(shop.home.landing / f"{table}.parquet")


def test_every_customer_known_that_day_has_one_row(shop: Shop, plan: pl.DataFrame) -> None:
    customers = landed(shop, "customers")
    known = customers.filter(pl.col("signed_up_at").is_null() | (pl.col("signed_up_at") < DAY))
    assert 0 < known.height < customers.height
    assert plan["customer_id"].to_list() == sorted(known["customer_id"])
    assert plan["plan_date"].unique().to_list() == [DAY]


def test_every_column_of_the_contract_is_there(plan: pl.DataFrame) -> None:
    assert [name for name in CONTRACT if name not in plan.columns] == []
    assert not {"email", "first_name", "last_name"} & set(plan.columns)


def test_every_decision_has_its_reason_in_words(plan: pl.DataFrame) -> None:
    assert set(plan["action"]) == {"send", "hold", "control"}
    for column in ("reason", "lifecycle_stage", "segment", "explanation", "policy_version", "model_versions"):
        assert plan[column].null_count() == 0, column
    assert plan["explanation"].str.contains(r"^[A-Z0-9].* .*\.$").all()
    assert not plan["explanation"].str.contains(r"[{}]|None|null|nan").any()
    assert plan["explanation"].n_unique() > 20


def test_a_send_can_be_sent(sends: pl.DataFrame) -> None:
    for column in ("subject", "preheader", "message_key", "tone", "subject_variant", "layout", "offer_key"):
        assert (sends[column].str.strip_chars() != "").all(), column
    assert not sends["subject"].str.contains(r"[{}]|None|null").any()
    assert sends["message_id"].n_unique() == sends.height


def test_whoever_is_left_alone_gets_nothing(plan: pl.DataFrame) -> None:
    others = plan.filter(pl.col("action") != "send")
    for column in ("message_key", "subject", "send_at", "product_ids", "coupon", "message_id", "p_purchase"):
        assert others[column].null_count() == others.height, column


def test_recommended_products_stand_by_falling_score(shop: Shop, sends: pl.DataFrame) -> None:
    shown = sends.select(
        "customer_id", "message_key", "product_ids", "product_sources", "product_scores"
    ).explode("product_ids", "product_sources", "product_scores")
    recommended = shown.filter(~pl.col("product_sources").is_in(["context", "goes_with"]))
    scores = pl.read_parquet(shop.home.scores(DAY) / "score_recommendations.parquet")
    matched = recommended.join(
        scores, left_on=["customer_id", "product_ids"], right_on=["customer_id", "product_id"], how="left"
    )
    assert recommended.height > 300
    assert matched["score"].null_count() == 0
    assert (matched["score"] - matched["product_scores"]).abs().max() < 1e-5
    assert matched.select((pl.col("score").diff() <= 0).over("customer_id").all()).item()
    assert not shown.select("customer_id", "product_ids").is_duplicated().any()
    ahead = shown.select(
        is_recommended=~pl.col("product_sources").is_in(["context", "goes_with"]), customer_id="customer_id"
    )
    assert ahead.select((pl.col("is_recommended").cast(pl.Int8).diff() >= 0).over("customer_id").all()).item()


def test_the_slots_of_a_mail_are_published_with_their_model(shop: Shop, plan: pl.DataFrame) -> None:
    slots = pl.read_parquet(shop.home.scores(DAY) / "score_slots.parquet")
    assert slots.columns == ["customer_id", "slot", "rank", "product_id", "score", "model_version"]
    assert {"for_you", "bought_together", "recently_viewed", "buy_again"} <= set(slots["slot"]) <= set(SLOTS)
    for_you = slots.filter(pl.col("slot") == "for_you")
    touched = pl.read_parquet(shop.home.features(DAY) / "feat_interactions.parquet")
    assert set(for_you["customer_id"]) <= set(touched["customer_id"]) <= set(plan["customer_id"])
    assert slots["rank"].is_between(1, 4).all()
    assert not slots.select("customer_id", "slot", "rank").is_duplicated().any()
    closed = pl.read_parquet(shop.home.features(DAY) / "feat_product.parquet").filter(
        pl.col("is_sensitive").fill_null(False) | ~pl.col("is_available").fill_null(False)
    )
    assert closed.height > 0
    assert slots.join(closed, on="product_id", how="semi").is_empty()
    (version,) = slots["model_version"].unique()
    assert version.startswith("recommendations@w")


def test_mails_go_out_on_the_day_and_never_in_local_quiet_hours(sends: pl.DataFrame) -> None:
    assert sends["send_at"].min() >= WINDOW_START
    assert sends["send_at"].max() < WINDOW_START + timedelta(days=1)
    local = pl.concat(
        rows.select(
            "send_at_local",
            clock=pl.col("send_at")
            .dt.replace_time_zone("UTC")
            .dt.convert_time_zone(zone)
            .dt.replace_time_zone(None),
        )
        for (zone,), rows in sends.group_by("timezone")
    )
    assert sends["timezone"].n_unique() > 5
    assert (local["send_at_local"] == local["clock"]).all()
    assert local["clock"].dt.time().is_between(time(7), time(21), closed="left").all()


def test_articles_are_unread_and_have_come_out(shop: Shop, sends: pl.DataFrame) -> None:
    scores = pl.read_parquet(shop.home.scores(DAY) / "score_contents.parquet")
    reads = pl.read_parquet(shop.home.features(DAY) / "feat_content_reads.parquet")
    shown = (
        sends.select("customer_id", "message_id", content_id="content_ids").explode("content_id").drop_nulls()
    )
    assert shown.height > 50
    assert shown.join(reads, on=["customer_id", "content_id"], how="semi").is_empty()
    best = scores.filter(pl.col("rank") == 1)
    assert shown.join(best, on=["customer_id", "content_id"], how="semi").height == shown.height
    contents = landed(shop, "contents")
    out = contents.filter(
        pl.col("published_at") < DAY,
        pl.col("starts_at").is_null() | (pl.col("starts_at") >= DAY + timedelta(days=1)),
    )
    assert out.height < contents.height
    assert scores.join(out, on="content_id", how="anti").is_empty()


def test_only_who_consented_by_then_and_has_not_left_is_mailed(shop: Shop, sends: pl.DataFrame) -> None:
    said = landed(shop, "consents").filter(
        (pl.col("purpose") == "email_marketing") & (pl.col("occurred_at") < DAY)
    )
    latest = said.sort("occurred_at").group_by("customer_id").agg(pl.last("granted"))
    assert latest["granted"].any()
    mailed = sends.join(latest, on="customer_id", how="left")
    assert mailed["granted"].fill_null(False).all()
    events = pl.read_parquet(shop.home.landing / "events" / "*.parquet")
    left = events.filter(
        pl.col("event").is_in(["Unsubscribed", "Email Marked as Spam"]) & (pl.col("occurred_at") < DAY)
    )
    back = events.filter((pl.col("event") == "Subscribed") & (pl.col("occurred_at") < DAY))
    returned = back.group_by("customer_id").agg(pl.max("occurred_at").alias("back_at"))
    gone = left.join(returned, on="customer_id", how="left").filter(
        pl.col("back_at").is_null() | (pl.col("back_at") < pl.col("occurred_at"))
    )
    assert gone["customer_id"].n_unique() >= 5
    assert sends.join(gone, on="customer_id", how="semi").is_empty()


def test_the_propensity_is_the_product_of_its_factors(plan: pl.DataFrame, sends: pl.DataFrame) -> None:
    factors = [f"propensity_{part}" for part in ("message", "offer", "variant", "send_time")]
    product = plan.select(pl.reduce(lambda left, right: left * right, pl.col(factors))).to_series()
    assert (plan["propensity"] - product).abs().max() < 1e-5
    for column in ("propensity", *factors):
        assert sends[column].is_between(0, 1, closed="right").all()
    assert sends["propensity"].n_unique() > 10
    assert (plan.filter(pl.col("action") != "send")["propensity"] == 1).all()


def test_probabilities_are_probabilities(sends: pl.DataFrame) -> None:
    for column in ("p_open", "p_click", "p_purchase", "churn_risk", "unsubscribe_risk"):
        assert sends[column].is_between(0, 1).all(), column


def test_the_models_named_in_the_plan_are_those_of_its_week(plan: pl.DataFrame) -> None:
    (named,) = plan["model_versions"].unique()
    asked = (LIFETIME_VALUE, CHURN, SEND_TIME, RECOMMENDATIONS, CONTENT_RECOMMENDATIONS, OFFER_RESPONSE)
    assert sorted(json.loads(named).values()) == sorted(f"{question}@w{WEEK}" for question in asked)


def test_the_marketing_database_holds_the_published_plan(shop: Shop, plan: pl.DataFrame) -> None:
    with duckdb.connect(str(shop.home.marketing), read_only=True) as connection:
        table = connection.sql("select * from send_plan order by customer_id").pl()
    assert table.columns == plan.columns
    assert table.equals(plan.cast(dict(table.schema)))


def test_the_marketing_database_shows_a_profile_of_everybody(shop: Shop, plan: pl.DataFrame) -> None:
    with duckdb.connect(str(shop.home.marketing), read_only=True) as connection:
        profiles = connection.sql("select * from customer_profile").pl()
    assert profiles["customer_id"].to_list() == plan["customer_id"].sort().to_list()
    assert {"stage_history", "segment", "open_triggers", "facts"} <= set(profiles.columns)
    assert not {"email", "first_name", "last_name"} & set(profiles.columns)


@pytest.mark.parametrize("name", MARKETERS_TABLES)
def test_the_marketing_database_holds_what_is_known_of_customers(shop: Shop, name: str) -> None:
    files = shop.files_of(DAY)
    (made,) = (path for path in files.values() if path.name == f"{MARKETERS_TABLES[name]}.parquet")
    with duckdb.connect(str(shop.home.marketing), read_only=True) as connection:
        shown = connection.table(name).pl()
    assert shown.height > 0
    assert shown["customer_id"].to_list() == pl.read_parquet(made)["customer_id"].to_list()


def test_the_marketing_database_answers_while_a_plan_is_made(
    replanned: Replanned, plan: pl.DataFrame
) -> None:
    assert replanned.code == (0, 0)
    assert replanned.failures == []
    assert len(replanned.answers) > 50
    later = replanned.shop.plan(LATER).height
    assert set(replanned.answers) <= {(n, n, n) for n in (plan.height, plan.height + later)}


def test_the_marketing_database_holds_every_published_day(replanned: Replanned) -> None:
    with duckdb.connect(str(replanned.shop.home.marketing), read_only=True) as connection:
        counts = dict(
            connection.execute("select plan_date, count(*) from send_plan group by plan_date").fetchall()
        )
    expected: dict[date, int] = {day: replanned.shop.plan(day).height for day in (DAY, LATER)}
    assert counts == expected


def test_a_condition_may_speak_of_the_columns_that_dbt_documents(shop: Shop) -> None:
    folder = shop.home.features(DAY)
    tables = [pl.read_parquet(folder / f"{name}.parquet") for name in (FEATURES, PROFILE)]
    assert conditioned_customers(*tables).schema == documented_customers().schema


def test_everybody_is_in_one_learnt_segment_and_has_a_chance_at_every_category(
    shop: Shop, plan: pl.DataFrame
) -> None:
    segments = pl.read_parquet(shop.home.scores(DAY) / "score_segments.parquet")
    learnt = segments.filter(pl.col("source") == "learnt")
    assert learnt["customer_id"].to_list() == plan["customer_id"].sort().to_list()
    propensity = pl.read_parquet(shop.home.scores(DAY) / "score_propensity.parquet")
    whole = propensity.filter(pl.col("subcategory").is_null())
    assert whole["p_purchase_14d"].is_between(0, 1).all()
    assert set(whole.group_by("customer_id").len()["len"]) == {whole["category"].n_unique()}
    assert set(whole["customer_id"]) == set(plan["customer_id"])


@pytest.mark.parametrize("question", METHODS)
def test_each_question_has_an_experiment_with_its_baselines_and_a_champion(shop: Shop, question: str) -> None:
    client = mlflow.MlflowClient(f"sqlite:///{shop.home.registry_db}")
    experiment = client.get_experiment_by_name(question)
    (run,) = client.search_runs([experiment.experiment_id])
    compared = {method for metric, _, method in (name.partition("/") for name in run.data.metrics) if method}
    assert METHODS[question] <= compared
    values = {method: run.data.metrics[f"{METRIC[question]}/{method}"] for method in METHODS[question]}
    # Some hundred sends of each offer tell nothing beyond chance: every method keeps to no effect.
    assert len(set(values.values())) > 1 or question == "offer_response"
    champion = client.get_model_version_by_alias(question, "champion")
    assert champion.run_id == run.info.run_id
    assert champion.tags["method"] in METHODS[question]
    assert client.get_model_version_by_alias(question, f"w{WEEK}").version == champion.version
    assert run.data.metrics[METRIC[question]] == values[champion.tags["method"]]
