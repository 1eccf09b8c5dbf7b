{{ config(tags=["features"], meta={"dagster": {"ref": {"name": "dim_customer_profile"}}}) }}

-- Every customer known at a plan date has one profile, and one row in the audit.
{{ missing_customers(['dim_customer_profile', 'audit_customer']) }}
