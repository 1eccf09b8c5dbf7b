{{ config(tags=["features"], meta={"dagster": {"ref": {"name": "feat_customer"}}}) }}

-- Every customer known at a snapshot has one row in each customer table, and nobody else.
{%- set tables = ['feat_customer', 'feat_eligibility', 'dim_customer_profile', 'audit_customer'] %}

with customers as (

    select customer_id, as_of from {{ ref('int_customer_as_of') }}

),

listed as (

    {% for table in tables -%}
    select '{{ table }}' as listed_in, customer_id, as_of from {{ ref(table) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

counted as (

    select
        customer_id,
        as_of,
        count(distinct listed_in) as n_tables
    from listed
    group by customer_id, as_of

)

select
    coalesce(customers.customer_id, counted.customer_id) as customer_id,
    coalesce(customers.as_of, counted.as_of) as as_of,
    coalesce(counted.n_tables, 0) as n_tables
from customers
full outer join counted on customers.customer_id = counted.customer_id and customers.as_of = counted.as_of
where customers.customer_id is null or counted.n_tables is distinct from {{ tables | length }}
