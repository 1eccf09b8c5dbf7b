{{ config(materialized='incremental', incremental_strategy='by_day', meta={'day_column': 'order_date'}) }}

-- depends_on: {{ ref('int_changed_days') }}
with events as (

    select * from {{ ref('stg_events') }}
    where event = 'Order Completed' and {{ in_changed_days('event_date') }}

),

lines as (

    select
        event_id as line_id,
        coalesce(order_id, event_id) as order_id,
        customer_id,
        product_id,
        coupon,
        device,
        coalesce(quantity, 1) as quantity,
        coalesce(price, 0) as price,
        coalesce(discount, 0) as discount,
        event_date as order_date,
        occurred_at
    from events

)

select
    line_id,
    order_id,
    customer_id,
    product_id,
    coupon,
    device,
    quantity,
    price,
    discount,
    quantity * price as gross_revenue,
    quantity * price - discount as revenue,
    order_date,
    occurred_at
from lines
