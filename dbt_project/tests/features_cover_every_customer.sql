{{ config(tags=["features"], meta={"dagster": {"ref": {"name": "feat_customer"}}}) }}

-- Every customer known at a snapshot has one row in each customer table, and nobody else.
with customers as (

    select * from {{ ref('int_customer_as_of') }}

),

features as (

    select customer_id, as_of from {{ ref('feat_customer') }}

),

eligibility as (

    select customer_id, as_of from {{ ref('feat_eligibility') }}

)

select
    coalesce(customers.customer_id, features.customer_id, eligibility.customer_id) as customer_id,
    coalesce(customers.as_of, features.as_of, eligibility.as_of) as as_of
from customers
full outer join features
    on customers.customer_id = features.customer_id and customers.as_of = features.as_of
full outer join eligibility
    on customers.customer_id = eligibility.customer_id and customers.as_of = eligibility.as_of
where customers.customer_id is null or features.customer_id is null or eligibility.customer_id is null
