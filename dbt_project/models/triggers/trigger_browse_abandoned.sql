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

),

baskets as (

    select * from {{ ref('int_open_baskets_as_of') }}

),

repeated_views as (

    select * from {{ ref('trigger_repeated_views') }}

),

comparisons as (

    select * from {{ ref('trigger_product_comparison') }}

),

replenishments as (

    select * from {{ ref('trigger_replenishment') }}

),

spoken_for as (

    {# A stronger trigger speaks of these products already. #}
    select customer_id, as_of, unnest(product_ids) as product_id
    from baskets
    union
    select customer_id, as_of, unnest(product_ids) as product_id
    from repeated_views
    union
    select customer_id, as_of, unnest(product_ids) as product_id
    from comparisons
    union
    select customer_id, as_of, unnest(product_ids) as product_id
    from replenishments

),

browsed as (

    select
        customers.customer_id,
        customers.as_of,
        site_events.product_id,
        products.category,
        count(*) filter (where site_events.event = 'Product Viewed') as n_views,
        min(site_events.occurred_at) filter (where site_events.event = 'Product Viewed') as first_viewed_at,
        max(site_events.occurred_at) filter (where site_events.event = 'Product Viewed') as last_viewed_at,
        bool_or(site_events.event = 'Product Added') as is_carted
    from site_events
    inner join customers
        on site_events.customer_id = customers.customer_id
        and site_events.known_at < customers.as_of
        and site_events.occurred_at >= {{ days_before('customers.as_of', var('trigger_browse_expires_days')) }}
    left join products on site_events.product_id = products.product_id
    group by customers.customer_id, customers.as_of, site_events.product_id, products.category

),

bought as (

    select
        customers.customer_id,
        customers.as_of,
        order_lines.product_id,
        products.category,
        max(order_lines.occurred_at) as last_bought_at
    from order_lines
    inner join customers
        on order_lines.customer_id = customers.customer_id
        and order_lines.occurred_at < customers.as_of
        and order_lines.occurred_at >= {{ days_before('customers.as_of', var('trigger_browse_expires_days')) }}
    left join products on order_lines.product_id = products.product_id
    group by customers.customer_id, customers.as_of, order_lines.product_id, products.category

),

open_products as (

    select browsed.*
    from browsed
    left join bought
        on browsed.customer_id = bought.customer_id
        and browsed.as_of = bought.as_of
        and browsed.product_id = bought.product_id
        and bought.last_bought_at >= browsed.first_viewed_at
    left join spoken_for
        on browsed.customer_id = spoken_for.customer_id
        and browsed.as_of = spoken_for.as_of
        and browsed.product_id = spoken_for.product_id
    where browsed.n_views > 0
        and not browsed.is_carted
        and bought.customer_id is null
        and spoken_for.customer_id is null

),

bought_categories as (

    select
        customer_id,
        as_of,
        category,
        max(last_bought_at) as last_bought_at
    from bought
    where category is not null
    group by customer_id, as_of, category

),

carted_categories as (

    select distinct customer_id, as_of, category
    from browsed
    where is_carted and category is not null

),

category_views as (

    select
        customer_id,
        as_of,
        category,
        sum(n_views) as n_views,
        min(first_viewed_at) as first_viewed_at
    from open_products
    where category is not null
    group by customer_id, as_of, category
    having sum(n_views) >= {{ var('trigger_browse_category_views') }}

),

open_categories as (

    select category_views.*
    from category_views
    left join carted_categories
        on category_views.customer_id = carted_categories.customer_id
        and category_views.as_of = carted_categories.as_of
        and category_views.category = carted_categories.category
    left join bought_categories
        on category_views.customer_id = bought_categories.customer_id
        and category_views.as_of = bought_categories.as_of
        and category_views.category = bought_categories.category
        and bought_categories.last_bought_at >= category_views.first_viewed_at
    where carted_categories.customer_id is null and bought_categories.customer_id is null

),

interesting as (

    select
        open_products.*,
        open_products.n_views >= {{ var('trigger_browse_product_views') }} as is_product_interest
    from open_products
    left join open_categories
        on open_products.customer_id = open_categories.customer_id
        and open_products.as_of = open_categories.as_of
        and open_products.category = open_categories.category
    where open_products.n_views >= {{ var('trigger_browse_product_views') }} or open_categories.customer_id is not null

),

abandoned as (

    select
        customer_id,
        as_of,
        max(last_viewed_at) as last_viewed_at,
        sum(n_views) as n_views,
        list(product_id order by is_product_interest desc, n_views desc, last_viewed_at desc, product_id) as product_ids,
        list(category order by is_product_interest desc, n_views desc, last_viewed_at desc, product_id) as categories
    from interesting
    group by customer_id, as_of

)

select
    customer_id,
    as_of,
    'browse_abandoned' as trigger_key,
    last_viewed_at as triggered_at,
    {{ days_after('last_viewed_at', var('trigger_browse_expires_days')) }} as expires_at,
    product_ids[1:{{ var('trigger_max_products') }}] as product_ids,
    {{ json_object([['category', 'categories[1]'], ['n_views', 'n_views']]) }} as context
from abandoned
where {{ days_after('last_viewed_at', var('trigger_browse_expires_days')) }} > as_of
order by as_of, customer_id
