{{ config(materialized='incremental', incremental_strategy='by_day') }}

-- depends_on: {{ ref('int_changed_days') }}, {{ ref('int_changed_messages') }}
with events as (

    select * from {{ ref('stg_events') }}
    where (event like 'Email%' or event in ('Subscribed', 'Unsubscribed'))
        and {{ in_changed_days('event_date') }}

)

select
    event_id,
    coalesce(message_id, case when event = 'Email Sent' then event_id end) as message_id,
    customer_id,
    anonymous_id,
    case event
        when 'Email Sent' then 'sent'
        when 'Email Delivered' then 'delivered'
        when 'Email Opened' then 'open'
        when 'Email Link Clicked' then 'click'
        when 'Email Bounced' then 'bounce'
        when 'Email Marked as Spam' then 'complaint'
        when 'Unsubscribed' then 'unsubscribe'
        when 'Subscribed' then 'subscribe'
    end as kind,
    case when event = 'Email Sent' then {{ json_text('properties', 'message_key') }} end as message_key,
    case when event = 'Email Sent' then {{ json_text('properties', 'subject_variant') }} end as subject_variant,
    case when event = 'Email Sent' then {{ json_text('properties', 'tone') }} end as tone,
    case when event = 'Email Sent' then nullif({{ json_text('properties', 'offer_key') }}, 'none') end as offer_key,
    case when event = 'Email Sent' then coalesce(coupon, {{ json_text('properties', 'coupon') }}) end as coupon,
    case when event = 'Email Bounced' then lower(coalesce(
        {{ json_text('properties', 'bounce_type') }}, {{ json_text('properties', 'kind') }}
    )) end as bounce_type,
    case when event = 'Email Link Clicked' then url end as url,
    device,
    case when event in ('Email Opened', 'Email Link Clicked') then {{ is_machine_agent('user_agent') }} else false end as has_machine_agent,
    event_date,
    occurred_at
from events
