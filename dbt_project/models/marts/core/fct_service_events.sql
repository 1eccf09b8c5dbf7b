{{ config(materialized='incremental', incremental_strategy='by_day') }}

-- depends_on: {{ ref('int_changed_days') }}
with events as (

    select * from {{ ref('stg_events') }}
    where event in ('Support Contacted', 'Review Submitted') and {{ in_changed_days('event_date') }}

)

select
    event_id,
    customer_id,
    product_id,
    order_id,
    case event when 'Support Contacted' then 'support' else 'review' end as kind,
    {{ json_text('properties', 'topic') }} as topic,
    try_cast({{ json_text('properties', 'rating') }} as double) as rating,
    try_cast({{ json_text('properties', 'sentiment') }} as double) as sentiment,
    event_date,
    occurred_at
from events
