{# For tests: customers known at a snapshot who are not in all of the tables, and rows of the tables about anybody else. #}
{% macro missing_customers(tables) -%}
with customers as (

    select customer_id, as_of from {{ ref('int_customer_as_of') }}

),

listed as (

    {% for table in tables -%}
    select customer_id, as_of from {{ ref(table) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

counted as (

    select
        customer_id,
        as_of,
        count(*) as n_rows
    from listed
    group by customer_id, as_of

)

select
    coalesce(customers.customer_id, counted.customer_id) as customer_id,
    coalesce(customers.as_of, counted.as_of) as as_of,
    coalesce(counted.n_rows, 0) as n_rows
from customers
full outer join counted on customers.customer_id = counted.customer_id and customers.as_of = counted.as_of
where customers.customer_id is null or counted.n_rows is distinct from {{ tables | length }}
{%- endmacro %}
