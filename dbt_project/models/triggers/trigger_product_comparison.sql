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

products as (

    select * from {{ ref('dim_products') }}
    where category is not null

),

showable_products as (

    select * from {{ ref('feat_product') }}
    where is_available and not coalesce(is_sensitive, false)

),

baskets as (

    select * from {{ ref('int_open_baskets_as_of') }}

),

repeated_views as (

    select * from {{ ref('trigger_repeated_views') }}

),

seen as (

    select
        customers.customer_id,
        customers.as_of,
        products.category,
        site_events.event_id,
        site_events.session_id,
        site_events.product_id,
        site_events.event,
        site_events.occurred_at
    from site_events
    inner join customers
        on site_events.customer_id = customers.customer_id
        and site_events.known_at < customers.as_of
        and site_events.occurred_at >= {{ days_before('customers.as_of', var('trigger_comparison_days')) }}
    inner join products on site_events.product_id = products.product_id

),

views as (

    select
        *,
        lag(product_id) over (
            partition by customer_id, as_of, category
            order by occurred_at, event_id
        ) as previous_product_id,
        row_number() over (
            partition by customer_id, as_of, product_id
            order by occurred_at, event_id
        ) as nth_view
    from seen
    where event = 'Product Viewed'

),

by_session as (

    select
        customer_id,
        as_of,
        category,
        session_id,
        count(distinct product_id) as n_products
    from views
    group by customer_id, as_of, category, session_id

),

widest_sessions as (

    select
        customer_id,
        as_of,
        category,
        max(n_products) as n_products
    from by_session
    group by customer_id, as_of, category

),

compared as (

    {# A return is a view of a product seen before, right after another one of its category. #}
    select
        customer_id,
        as_of,
        category,
        count(*) filter (where nth_view > 1 and previous_product_id <> product_id) as n_returns,
        min(occurred_at) as first_viewed_at,
        max(occurred_at) as last_viewed_at
    from views
    group by customer_id, as_of, category
    having count(distinct product_id) >= 2

),

carted_categories as (

    select distinct customer_id, as_of, category
    from seen
    where event = 'Product Added'
    union
    select
        contents.customer_id,
        contents.as_of,
        products.category
    from (select customer_id, as_of, unnest(product_ids) as product_id from baskets) as contents
    inner join products on contents.product_id = products.product_id

),

bought_categories as (

    select
        customers.customer_id,
        customers.as_of,
        products.category,
        max(order_lines.occurred_at) as last_bought_at
    from order_lines
    inner join customers
        on order_lines.customer_id = customers.customer_id
        and order_lines.occurred_at < customers.as_of
        and order_lines.occurred_at >= {{ days_before('customers.as_of', var('trigger_comparison_days')) }}
    inner join products on order_lines.product_id = products.product_id
    group by customers.customer_id, customers.as_of, products.category

),

undecided as (

    select compared.*
    from compared
    inner join widest_sessions
        on compared.customer_id = widest_sessions.customer_id
        and compared.as_of = widest_sessions.as_of
        and compared.category = widest_sessions.category
    left join carted_categories
        on compared.customer_id = carted_categories.customer_id
        and compared.as_of = carted_categories.as_of
        and compared.category = carted_categories.category
    left join bought_categories
        on compared.customer_id = bought_categories.customer_id
        and compared.as_of = bought_categories.as_of
        and compared.category = bought_categories.category
        and bought_categories.last_bought_at >= compared.first_viewed_at
    where carted_categories.customer_id is null
        and bought_categories.customer_id is null
        and (
            widest_sessions.n_products >= {{ var('trigger_comparison_session_products') }}
            or compared.n_returns >= {{ var('trigger_comparison_returns') }}
        )

),

latest as (

    select *
    from undecided
    qualify row_number() over (
        partition by customer_id, as_of
        order by n_returns desc, last_viewed_at desc, category
    ) = 1

),

spoken_for as (

    select customer_id, as_of, unnest(product_ids) as product_id
    from repeated_views

),

product_views as (

    select
        views.customer_id,
        views.as_of,
        views.product_id,
        latest.category,
        latest.n_returns,
        latest.last_viewed_at,
        count(*) as n_views,
        max(views.occurred_at) as product_viewed_at
    from views
    inner join latest
        on views.customer_id = latest.customer_id
        and views.as_of = latest.as_of
        and views.category = latest.category
    inner join showable_products
        on views.product_id = showable_products.product_id
        and views.as_of = showable_products.as_of
    left join spoken_for
        on views.customer_id = spoken_for.customer_id
        and views.as_of = spoken_for.as_of
        and views.product_id = spoken_for.product_id
    where spoken_for.customer_id is null
    group by
        views.customer_id, views.as_of, views.product_id, latest.category, latest.n_returns,
        latest.last_viewed_at

),

comparisons as (

    select
        customer_id,
        as_of,
        category,
        n_returns,
        last_viewed_at,
        count(*) as n_products,
        list(product_id order by n_views desc, product_viewed_at desc, product_id) as product_ids
    from product_views
    group by customer_id, as_of, category, n_returns, last_viewed_at
    having count(*) >= 2

)

select
    customer_id,
    as_of,
    'product_comparison' as trigger_key,
    last_viewed_at as triggered_at,
    {{ days_after('last_viewed_at', var('trigger_comparison_days')) }} as expires_at,
    product_ids[1:{{ var('trigger_max_products') }}] as product_ids,
    {{ json_object([['category', 'category'], ['n_products', 'n_products'], ['n_returns', 'n_returns']]) }} as context
from comparisons
where {{ days_after('last_viewed_at', var('trigger_comparison_days')) }} > as_of
order by as_of, customer_id
