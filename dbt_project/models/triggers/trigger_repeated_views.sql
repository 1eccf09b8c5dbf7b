with customers as (

    select * from {{ ref('int_customer_as_of') }}
    where has_behaviour

),

site_events as (

    select * from {{ ref('fct_site_events') }}
    where event in ('Product Viewed', 'Product Added') and product_id is not null

),

order_lines as (

    select * from {{ ref('fct_order_lines') }}

),

baskets as (

    select * from {{ ref('int_open_baskets_as_of') }}

),

replenishments as (

    select * from {{ ref('trigger_replenishment') }}

),

seen as (

    select
        customers.customer_id,
        customers.as_of,
        site_events.product_id,
        count(distinct case when site_events.event = 'Product Viewed' then site_events.session_id end) as n_sessions,
        min(site_events.occurred_at) filter (where site_events.event = 'Product Viewed') as first_viewed_at,
        max(site_events.occurred_at) filter (where site_events.event = 'Product Viewed') as last_viewed_at,
        bool_or(site_events.event = 'Product Added') as is_carted
    from site_events
    inner join customers
        on site_events.customer_id = customers.customer_id
        and site_events.known_at < customers.as_of
        and site_events.occurred_at >= {{ days_before('customers.as_of', var('trigger_repeated_views_days')) }}
    group by customers.customer_id, customers.as_of, site_events.product_id

),

repeated as (

    select * from seen
    where n_sessions >= {{ var('trigger_repeated_views_sessions') }}
        and not is_carted
        and {{ days_after('last_viewed_at', var('trigger_repeated_views_expires_days')) }} > as_of

),

spoken_for as (

    select customer_id, as_of, unnest(product_ids) as product_id
    from baskets
    union
    select customer_id, as_of, unnest(product_ids) as product_id
    from replenishments

),

undecided as (

    select repeated.*
    from repeated
    left join spoken_for
        on repeated.customer_id = spoken_for.customer_id
        and repeated.as_of = spoken_for.as_of
        and repeated.product_id = spoken_for.product_id
    where spoken_for.customer_id is null
        and not exists (
            select 1
            from order_lines
            where order_lines.customer_id = repeated.customer_id
                and order_lines.product_id = repeated.product_id
                and order_lines.occurred_at >= repeated.first_viewed_at
                and order_lines.occurred_at < repeated.as_of
        )

),

interested as (

    select
        customer_id,
        as_of,
        max(last_viewed_at) as last_viewed_at,
        max(n_sessions) as n_sessions,
        count(*) as n_products,
        list(product_id order by n_sessions desc, last_viewed_at desc, product_id) as product_ids
    from undecided
    group by customer_id, as_of

)

select
    customer_id,
    as_of,
    'repeated_views' as trigger_key,
    last_viewed_at as triggered_at,
    {{ days_after('last_viewed_at', var('trigger_repeated_views_expires_days')) }} as expires_at,
    product_ids[1:{{ var('trigger_max_products') }}] as product_ids,
    {{ json_object([['n_products', 'n_products'], ['n_sessions', 'n_sessions']]) }} as context
from interested
order by as_of, customer_id
