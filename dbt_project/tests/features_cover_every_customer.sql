{{ config(tags=["features"], meta={"dagster": {"ref": {"name": "feat_customer"}}}) }}

-- Every customer known at a snapshot has one row in each customer table, and nobody else.
{{ missing_customers(['feat_customer', 'feat_eligibility']) }}
