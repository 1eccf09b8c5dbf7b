{{ config(materialized='incremental', incremental_strategy='by_day') }}

-- depends_on: {{ ref('int_changed_days') }}
with events as (

    select * from {{ ref('stg_events') }}
    where event = 'Order Refunded' and {{ in_changed_days('event_date') }}

)

select
    event_id as refund_id,
    coalesce(order_id, event_id) as order_id,
    customer_id,
    product_id,
    abs(coalesce(quantity, 1)) as quantity,
    abs(coalesce(quantity, 1) * coalesce(price, 0)) - coalesce(discount, 0) as amount,
    event_date,
    occurred_at
from events
