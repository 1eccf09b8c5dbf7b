{{ config(
    materialized='incremental',
    incremental_strategy='by_day',
    meta={'day_column': 'session_date', 'days_before': 1, 'days_after': 2},
) }}

{#- A session belongs to the day on which it began; one that began the day before may have grown. -#}
-- depends_on: {{ ref('int_changed_days') }}
with site_events as (

    select * from {{ ref('int_site_events') }}
    where {{ in_changed_days('event_date', before=1, after=3) }}

)

select
    session_id,
    visitor_id,
    arg_min(customer_id, (occurred_at, event_id)) filter (where customer_id is not null) as customer_id,
    arg_min(unknown_id, (occurred_at, event_id)) filter (where unknown_id is not null) as unknown_id,
    arg_min(device, (occurred_at, event_id)) filter (where device is not null) as device,
    cast(count(*) as integer) as n_events,
    {%- for name, event in [
        ('n_pages', 'Page Viewed'),
        ('n_product_views', 'Product Viewed'),
        ('n_searches', 'Products Searched'),
        ('n_content_views', 'Content Viewed'),
        ('n_carts', 'Product Added'),
        ('n_checkouts', 'Checkout Started'),
    ] %}
    cast(count(*) filter (where event = '{{ event }}') as integer) as {{ name }},
    {%- endfor %}
    cast(count(distinct product_id) as integer) as n_products,
    cast(session_started_at as date) as session_date,
    session_started_at as started_at,
    max(occurred_at) as ended_at,
    min(occurred_at) filter (where customer_id is not null) as identified_at
from site_events
where {{ in_changed_days('cast(session_started_at as date)', before=1, after=2) }}
group by session_id, visitor_id, session_started_at
