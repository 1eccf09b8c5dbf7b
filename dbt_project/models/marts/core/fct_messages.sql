{{ config(materialized='view') }}

with messages as (

    select * from {{ ref('int_message_outcomes') }}

),

attributions as (

    select * from {{ ref('fct_order_attributions') }}

),

attributed as (

    select
        message_id,
        count(*) as n_orders,
        {{ stable_sum('revenue') }} as revenue
    from attributions
    group by message_id

)

select
    messages.message_id,
    messages.customer_id,
    messages.message_key,
    messages.subject_variant,
    messages.tone,
    messages.offer_key,
    messages.coupon,
    cast(coalesce(attributed.n_orders, 0) as integer) as n_attributed_orders,
    coalesce(attributed.revenue, 0) as attributed_revenue,
    messages.first_machine_open_at is not null as has_machine_open,
    messages.machine_open_score,
    messages.machine_open_signals,
    messages.sent_at,
    messages.delivered_at,
    messages.first_human_open_at,
    messages.first_human_click_at,
    messages.bounced_at,
    messages.complained_at,
    messages.unsubscribed_at
from messages
left join attributed on messages.message_id = attributed.message_id
