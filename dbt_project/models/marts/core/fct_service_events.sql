{{ config(materialized='incremental', incremental_strategy='by_day') }}

-- depends_on: {{ ref('int_changed_days') }}
with events as (

    select * from {{ ref('stg_events') }}
    where event in ('Support Contacted', 'Review Submitted') and {{ in_changed_days('event_date') }}

),

read as (

    select
        *,
        lower({{ json_text('properties', 'topic') }}) as topic,
        try_cast({{ json_text('properties', 'rating') }} as double) as rating,
        lower({{ json_text('properties', 'sentiment') }}) as mood
    from events

),

rated as (

    select
        *,
        case mood
            when 'very_negative' then -1.0
            when 'negative' then -0.5
            when 'neutral' then 0.0
            when 'positive' then 0.5
            when 'very_positive' then 1.0
            else try_cast(mood as double)
        end as sentiment
    from read

)

select
    event_id,
    customer_id,
    product_id,
    order_id,
    case event when 'Support Contacted' then 'support' else 'review' end as kind,
    topic,
    rating,
    cast(case when sentiment between -1 and 1 then sentiment end as double) as sentiment,
    {# What the shop says of the mood goes before a rating, a rating before the topic; between bad and good is neither. #}
    case
        when sentiment <= {{ var('bad_service_max_sentiment') }} then true
        when sentiment >= {{ var('good_service_min_sentiment') }} then false
        when sentiment is not null then null
        when rating <= {{ var('bad_service_max_rating') }} then true
        when rating >= {{ var('good_service_min_rating') }} then false
        when rating is null and event = 'Support Contacted'
            and topic in ({% for topic in var('bad_service_topics') %}'{{ topic }}'{{ ', ' if not loop.last }}{% endfor %})
            then true
    end as is_bad,
    event_date,
    occurred_at
from rated
