{{ config(materialized='incremental', incremental_strategy='by_message') }}

-- depends_on: {{ ref('int_changed_days') }}, {{ ref('int_changed_messages') }}
with email_events as (

    select * from {{ ref('int_email_events') }}
    where kind in ('sent', 'delivered') and message_id is not null and {{ in_changed_messages('message_id') }}

),

sent as (

    select
        *,
        row_number() over (partition by message_id order by occurred_at, event_id) as nth
    from email_events
    where kind = 'sent'

),

delivered as (

    select
        message_id,
        min(occurred_at) as delivered_at
    from email_events
    where kind = 'delivered'
    group by message_id

)

select
    sent.message_id,
    sent.customer_id,
    coalesce(sent.message_key, 'unknown') as message_key,
    sent.subject_variant,
    sent.tone,
    sent.offer_key,
    sent.coupon,
    sent.occurred_at as sent_at,
    delivered.delivered_at
from sent
left join delivered on sent.message_id = delivered.message_id
where sent.nth = 1
