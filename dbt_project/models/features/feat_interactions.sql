with customers as (

    select * from {{ ref('int_customer_as_of') }}
    where has_behaviour

),

purchase_days as (

    select * from {{ ref('int_purchase_days') }}

),

site_events as (

    select * from {{ ref('fct_site_events') }}
    where event in ('Product Viewed', 'Product Added') and product_id is not null

),

purchases as (

    select
        customers.customer_id,
        purchase_days.product_id,
        customers.as_of,
        sum(purchase_days.n_orders) as n_purchases,
        sum(purchase_days.n_units) as n_units,
        sum(purchase_days.n_orders) filter (
            where purchase_days.order_date >= {{ days_before('customers.as_of', 365) }}
                and purchase_days.order_date < {{ days_before('customers.as_of', 335) }}
        ) as n_season_purchases,
        min(cast(purchase_days.order_date as timestamp)) as first_purchased_at,
        max(purchase_days.last_purchased_at) as last_purchased_at,
        {{ stable_sum('purchase_days.n_orders * ' ~ decay(
            '(customers.as_of - purchase_days.order_date)', var('fast_half_life_days')
        )) }} as fast_purchase_weight,
        {{ stable_sum('purchase_days.n_orders * ' ~ decay(
            '(customers.as_of - purchase_days.order_date)', var('purchase_half_life_days')
        )) }} as purchase_weight
    from purchase_days
    inner join customers
        on purchase_days.customer_id = customers.customer_id
        and purchase_days.order_date < customers.as_of
    group by customers.customer_id, purchase_days.product_id, customers.as_of

),

visit_days as (

    select
        customers.customer_id,
        site_events.product_id,
        customers.as_of,
        cast(site_events.occurred_at as date) as visit_date,
        count(*) filter (where site_events.event = 'Product Viewed') as n_views,
        count(*) filter (where site_events.event = 'Product Added') as n_carts,
        max(site_events.occurred_at) filter (where site_events.event = 'Product Viewed') as last_viewed_at
    from site_events
    inner join customers
        on site_events.customer_id = customers.customer_id
        and site_events.known_at < customers.as_of
    group by customers.customer_id, site_events.product_id, customers.as_of, cast(site_events.occurred_at as date)

),

visits as (

    select
        customer_id,
        product_id,
        as_of,
        sum(n_views) as n_views,
        sum(n_carts) as n_carts,
        max(last_viewed_at) as last_viewed_at,
        {{ stable_sum(
            'least(n_views, ' ~ var('max_views_per_day') ~ ') * '
            ~ decay('(as_of - visit_date)', var('view_half_life_days'))
        ) }} as view_weight,
        {{ stable_sum('n_carts * ' ~ decay('(as_of - visit_date)', var('view_half_life_days'))) }} as cart_weight
    from visit_days
    group by customer_id, product_id, as_of

),

combined as (

    select
        coalesce(purchases.customer_id, visits.customer_id) as customer_id,
        coalesce(purchases.product_id, visits.product_id) as product_id,
        coalesce(purchases.as_of, visits.as_of) as as_of,
        cast(coalesce(purchases.n_purchases, 0) as integer) as n_purchases,
        cast(coalesce(purchases.n_units, 0) as integer) as n_units,
        cast(coalesce(visits.n_views, 0) as integer) as n_views,
        cast(coalesce(visits.n_carts, 0) as integer) as n_carts,
        cast(coalesce(purchases.n_season_purchases, 0) as integer) as n_season_purchases,
        coalesce(purchases.fast_purchase_weight, 0) as fast_purchase_weight,
        coalesce(purchases.purchase_weight, 0) as purchase_weight,
        coalesce(visits.view_weight, 0) as view_weight,
        coalesce(visits.cart_weight, 0) as cart_weight,
        purchases.first_purchased_at,
        purchases.last_purchased_at,
        visits.last_viewed_at
    from purchases
    full outer join visits
        on purchases.customer_id = visits.customer_id
        and purchases.product_id = visits.product_id
        and purchases.as_of = visits.as_of

)

select
    customer_id,
    product_id,
    as_of,
    n_purchases,
    n_units,
    n_views,
    n_carts,
    n_season_purchases,
    first_purchased_at,
    last_purchased_at,
    last_viewed_at,
    fast_purchase_weight,
    purchase_weight,
    view_weight,
    purchase_weight
        + {{ var('view_weight_factor') }} * view_weight
        + {{ var('cart_weight_factor') }} * cart_weight as weight
from combined
order by as_of, customer_id, product_id
