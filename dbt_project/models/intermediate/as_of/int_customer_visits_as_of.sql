with customers as (

    select * from {{ ref('int_customer_as_of') }}
    where has_behaviour

),

site_events as (

    select * from {{ ref('fct_site_events') }}

),

known as (

    select
        customers.customer_id,
        customers.as_of,
        site_events.session_id,
        site_events.event,
        site_events.device,
        {{ device_class('site_events.device') }} as device_class,
        site_events.is_session_start,
        site_events.occurred_at,
        customers.as_of - cast(site_events.occurred_at as date) as days_ago
    from site_events
    inner join customers
        on site_events.customer_id = customers.customer_id
        and site_events.known_at < customers.as_of

),

{# First by session, which is counted once however many of its events a window holds. #}
sessions as (

    select
        customer_id,
        as_of,
        session_id,
        min(days_ago) as days_ago,
        {%- for name, event, days in [
            ('n_product_views_7d', 'Product Viewed', 7),
            ('n_product_views_30d', 'Product Viewed', 30),
            ('n_carts_30d', 'Product Added', 30),
            ('n_searches_30d', 'Products Searched', 30),
            ('n_content_views_90d', 'Content Viewed', 90),
        ] %}
        count(*) filter (where event = '{{ event }}' and days_ago <= {{ days }}) as {{ name }},
        {%- endfor %}
        count(*) filter (
            where lower(device) in ('mobile', 'phone', 'smartphone', 'tablet', 'ios', 'android')
        ) as n_mobile_events,
        count(device) as n_device_events,
        {%- for device in ['mobile', 'tablet', 'desktop'] %}
        count(*) filter (
            where is_session_start and device_class = '{{ device }}' and days_ago <= {{ var('device_days') }}
        ) as n_{{ device }}_sessions,
        {%- endfor %}
        max(occurred_at) as last_visit_at
    from known
    group by customer_id, as_of, session_id

)

select
    customer_id,
    as_of,
    {%- for days in [7, 30, 90] %}
    cast(count(*) filter (where days_ago <= {{ days }}) as integer) as n_sessions_{{ days }}d,
    {%- endfor %}
    {%- for name in [
        'n_product_views_7d', 'n_product_views_30d', 'n_carts_30d', 'n_searches_30d', 'n_content_views_90d',
        'n_mobile_sessions', 'n_tablet_sessions', 'n_desktop_sessions',
    ] %}
    cast(sum({{ name }}) as integer) as {{ name }},
    {%- endfor %}
    cast(sum(n_mobile_events) as double) / nullif(sum(n_device_events), 0) as mobile_share,
    max(last_visit_at) as last_visit_at
from sessions
group by customer_id, as_of
