"""The contract as data, and the page that shows it to users."""

from pathlib import Path

import polars as pl

from assets.landing.contract import TABLES
from assets.landing.documentation import contract_tables

PAGE = Path(__file__).parents[2] / "docs" / "data-contract.md"


def test_the_page_shows_the_contract_as_it_is() -> None:
    assert contract_tables() in PAGE.read_text()


def test_required_columns_are_those_of_the_design() -> None:
    required = {table.name: {c.name for c in table.columns if c.required} for table in TABLES.values()}
    assert required == {
        "customers": {"customer_id", "email"},
        "products": {"product_id", "name"},
        "contents": {"content_id", "title"},
        "events": {"event_id", "event", "occurred_at"},
        "consents": {"customer_id", "purpose", "granted", "occurred_at"},
    }


def test_amounts_are_bounded() -> None:
    bounds = {
        (t.name, c.name): (c.minimum, c.maximum) for t in TABLES.values() for c in t.columns if c.maximum
    }
    assert set(bounds) == {
        ("products", "price"),
        ("products", "cost"),
        ("events", "price"),
        ("events", "discount"),
        ("events", "quantity"),
    }
    assert set(bounds.values()) == {(0, 1e9)}


def test_times_are_naive_microseconds_and_orders_are_total() -> None:
    for table in TABLES.values():
        times = [dtype for dtype in table.schema.values() if isinstance(dtype, pl.Datetime)]
        assert all(time == pl.Datetime("us", None) for time in times)
        assert set(table.ids) <= set(table.order) if table.ids else set(table.order) == set(table.names)
