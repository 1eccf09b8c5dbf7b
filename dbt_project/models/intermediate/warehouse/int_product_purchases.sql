{{ config(materialized='incremental', incremental_strategy='by_day', meta={'day_column': 'order_date'}) }}

-- depends_on: {{ ref('int_changed_days') }}
with order_lines as (

    select * from {{ ref('int_order_lines') }}
    where customer_id is not null and product_id is not null and {{ in_changed_days('order_date') }}

)

select
    customer_id,
    product_id,
    order_date,
    cast(count(distinct order_id) as integer) as n_orders,
    cast(sum(quantity) as integer) as n_units,
    max(occurred_at) as last_purchased_at
from order_lines
group by customer_id, product_id, order_date
