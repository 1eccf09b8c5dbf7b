"""From events to one row of the plan: the shoes of Monday evening, on Tuesday at a quarter past eight."""

import json
from datetime import datetime

import polars as pl
import pytest
from planned_shop import DAY, Shop
from worked_example import BRAND, MARATHON, MINUTE, NAME, SHOES, SOCKS, TRACKER, runner


@pytest.fixture(scope="module")
def row(shop: Shop) -> dict[str, object]:
    return shop.plan().row(by_predicate=pl.col("customer_id") == runner(DAY), named=True)


def test_the_message_is_about_what_he_looked_at(row: dict[str, object]) -> None:
    assert (row["action"], row["reason"], row["message_key"]) == ("send", "trigger", "browse_abandoned")
    products = dict(zip(row["product_ids"], row["product_sources"], strict=True))
    assert next(iter(products)) == SHOES and products[SHOES] == "context"
    assert products[SOCKS] == products[TRACKER] == "goes_with"
    assert row["content_ids"] == [MARATHON]


def test_it_goes_out_at_his_usual_moment(row: dict[str, object]) -> None:
    assert row["send_at_local"] == datetime.combine(DAY, MINUTE) and DAY.strftime("%A") == "Tuesday"
    assert row["timezone"] == "Europe/London"


def test_shipping_is_free_because_he_minds_prices(row: dict[str, object]) -> None:
    assert row["offer_key"] == "free_shipping" and str(row["coupon"]).startswith("SHIP-")
    assert 0.40 <= float(str(row["price_sensitivity"])) < 0.55


def test_the_subject_names_the_brand_and_him(row: dict[str, object]) -> None:
    assert row["subject"] == f"Still thinking about {BRAND}, {NAME}?"


def test_the_explanation_says_all_of_it(row: dict[str, object]) -> None:
    says = str(row["explanation"])
    for part in (f"Came back to {BRAND} Road Runners", "a read", "free shipping because", "Tuesday 08:15"):
        assert part in says, says
    assert 0 < float(str(row["propensity"])) < 1
    assert json.loads(str(row["model_versions"]))["send_time"]
