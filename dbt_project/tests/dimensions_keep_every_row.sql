{{ config(tags=["warehouse"], meta={"dagster": {"ref": {"name": "dim_customers"}}}) }}

-- A dimension has a row for whatever the raw table has, no more and no fewer.
{%- set dimensions = [
    ('dim_customers', 'stg_customers'),
    ('dim_products', 'stg_products'),
    ('dim_contents', 'stg_contents'),
] %}

with counted as (

    {% for dimension, staged in dimensions -%}
    select
        '{{ dimension }}' as dimension,
        (select count(*) from {{ ref(staged) }}) as n_staged,
        (select count(*) from {{ ref(dimension) }}) as n_rows
    {{ 'union all' if not loop.last }}
    {% endfor %}

)

select *
from counted
where n_staged <> n_rows
