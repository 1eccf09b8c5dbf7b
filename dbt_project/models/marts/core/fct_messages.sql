{{ config(materialized='view') }}

with messages as (

    select * from {{ ref('int_messages') }}

),

answers as (

    select * from {{ ref('int_message_answers') }}

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
    answers.first_machine_open_at is not null as has_machine_open,
    answers.machine_open_score,
    coalesce(answers.machine_open_signals, []) as machine_open_signals,
    messages.sent_at,
    messages.delivered_at,
    answers.first_human_open_at,
    answers.first_human_click_at,
    answers.bounced_at,
    answers.complained_at,
    answers.unsubscribed_at
from messages
left join answers on messages.message_id = answers.message_id
left join attributed on messages.message_id = attributed.message_id
