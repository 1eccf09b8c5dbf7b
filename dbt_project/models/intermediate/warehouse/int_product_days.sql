{{ config(materialized='incremental', incremental_strategy='by_day', meta={'day_column': 'order_date'}) }}

-- depends_on: {{ ref('int_changed_days') }}
with order_lines as (

    select * from {{ ref('int_order_lines') }}
    where product_id is not null and price > 0 and {{ in_changed_days('order_date') }}

)

select
    product_id,
    order_date,
    cast(sum(quantity) as integer) as n_units,
    arg_max(price, (occurred_at, line_id)) as last_price
from order_lines
group by product_id, order_date
