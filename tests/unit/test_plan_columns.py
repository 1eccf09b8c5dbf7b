"""The plan's documentation, its catalogue entry and its table say the same."""

from pathlib import Path

from assets.plan_columns import column_schema, documentation, plan_columns

DESIGN_COLUMNS = {
    *(
        "plan_date",
        "customer_id",
        "action",
        "reason",
        "message_key",
        "trigger_key",
        "lifecycle_stage",
        "segment",
    ),
    *("send_at", "send_at_local", "timezone", "subject", "preheader", "tone", "subject_variant", "layout"),
    *(
        "product_ids",
        "product_sources",
        "content_ids",
        "offer_key",
        "coupon",
        "p_open",
        "p_click",
        "p_purchase",
    ),
    *("expected_margin", "lifetime_value", "churn_risk", "unsubscribe_risk", "propensity", "explored"),
    *("explanation", "policy_version", "model_versions", "message_id"),
}


def test_the_page_is_what_the_code_says() -> None:
    page = Path(__file__).parents[2] / "docs" / "send-plan.md"
    assert documentation() in page.read_text()


def test_every_column_of_the_contract_is_there_once_with_a_meaning() -> None:
    columns = plan_columns()
    assert set(columns) >= DESIGN_COLUMNS
    assert all(column.meaning for column in columns.values())
    assert [column.name for column in column_schema().columns] == list(columns)
