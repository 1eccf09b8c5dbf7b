with customers as (

    select * from {{ ref('int_customer_as_of') }}
    where has_behaviour

),

site_events as (

    select
        *,
        {{ device_class('device') }} as device_class
    from {{ ref('fct_site_events') }}

)

select
    customers.customer_id,
    customers.as_of,
    {%- for days in [7, 30, 90] %}
    cast(count(distinct site_events.session_id) filter (
        where site_events.occurred_at >= {{ days_before('customers.as_of', days) }}
    ) as integer) as n_sessions_{{ days }}d,
    {%- endfor %}
    {%- for name, event, days in [
        ('n_product_views_7d', 'Product Viewed', 7),
        ('n_product_views_30d', 'Product Viewed', 30),
        ('n_carts_30d', 'Product Added', 30),
        ('n_searches_30d', 'Products Searched', 30),
        ('n_content_views_90d', 'Content Viewed', 90),
    ] %}
    cast(count(*) filter (
        where site_events.event = '{{ event }}'
        and site_events.occurred_at >= {{ days_before('customers.as_of', days) }}
    ) as integer) as {{ name }},
    {%- endfor %}
    cast(count(*) filter (
        where lower(site_events.device) in ('mobile', 'phone', 'smartphone', 'tablet', 'ios', 'android')
    ) as double) / nullif(count(site_events.device), 0) as mobile_share,
    {%- for device in ['mobile', 'tablet', 'desktop'] %}
    cast(count(*) filter (
        where site_events.is_session_start
        and site_events.device_class = '{{ device }}'
        and site_events.occurred_at >= {{ days_before('customers.as_of', var('device_days')) }}
    ) as integer) as n_{{ device }}_sessions,
    {%- endfor %}
    max(site_events.occurred_at) as last_visit_at
from site_events
inner join customers
    on site_events.customer_id = customers.customer_id
    and site_events.known_at < customers.as_of
group by customers.customer_id, customers.as_of
