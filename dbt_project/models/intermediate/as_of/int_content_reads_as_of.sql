with customers as (

    select * from {{ ref('int_customer_as_of') }}
    where has_behaviour

),

site_events as (

    select * from {{ ref('fct_site_events') }}
    where event = 'Content Viewed' and content_id is not null

),

days as (

    select
        customers.customer_id,
        customers.as_of,
        site_events.content_id,
        cast(site_events.occurred_at as date) as read_date,
        count(*) as n_views,
        max(site_events.occurred_at) as last_viewed_at
    from site_events
    inner join customers
        on site_events.customer_id = customers.customer_id
        and site_events.known_at < customers.as_of
    group by customers.customer_id, customers.as_of, site_events.content_id, cast(site_events.occurred_at as date)

)

select
    customer_id,
    as_of,
    content_id,
    cast(sum(n_views) as integer) as n_views,
    max(last_viewed_at) as last_viewed_at,
    {{ stable_sum(
        'least(n_views, ' ~ var('max_views_per_day') ~ ') * ' ~ decay('(as_of - read_date)', var('view_half_life_days'))
    ) }} as read_weight,
    {{ stable_sum(
        'least(n_views, ' ~ var('max_views_per_day') ~ ') * ' ~ decay('(as_of - read_date)', var('slow_half_life_days'))
    ) }} as slow_read_weight
from days
group by customer_id, as_of, content_id
