with customers as (

    select * from {{ ref('int_customer_as_of') }}
    where has_behaviour

),

site_events as (

    select * from {{ ref('fct_site_events') }}
    where event in ('Product Added', 'Product Removed', 'Checkout Started')

),

order_lines as (

    select * from {{ ref('fct_order_lines') }}

),

products as (

    select * from {{ ref('feat_product') }}

),

carts as (

    select
        customers.customer_id,
        customers.as_of,
        site_events.product_id,
        sum(case site_events.event
            when 'Product Added' then site_events.quantity
            when 'Product Removed' then -site_events.quantity
            else 0
        end) as n_units,
        max(site_events.occurred_at) filter (where site_events.event = 'Checkout Started') as last_checkout_at,
        max(site_events.occurred_at) filter (where site_events.event = 'Product Removed') as last_removed_at,
        max(site_events.occurred_at) filter (where site_events.event <> 'Product Removed') as last_carted_at
    from site_events
    inner join customers
        on site_events.customer_id = customers.customer_id
        and site_events.known_at < customers.as_of
        and site_events.occurred_at >= {{ days_before('customers.as_of', var('trigger_cart_expires_days')) }}
    group by customers.customer_id, customers.as_of, site_events.product_id

),

left_behind as (

    select *
    from carts
    where
        (n_units > 0 or coalesce(last_checkout_at > last_removed_at, last_checkout_at is not null))
        and last_carted_at is not null
        and not exists (
            select 1
            from order_lines
            where order_lines.customer_id = carts.customer_id
                and order_lines.occurred_at >= carts.last_carted_at
                and order_lines.occurred_at < carts.as_of
                and (carts.product_id is null or order_lines.product_id = carts.product_id)
        )

),

abandoned as (

    select
        left_behind.customer_id,
        left_behind.as_of,
        max(left_behind.last_carted_at) as last_carted_at,
        count(left_behind.product_id) as n_products,
        {{ stable_sum('greatest(left_behind.n_units, 1) * products.price') }} as cart_value,
        coalesce(
            list(left_behind.product_id order by left_behind.last_carted_at desc, left_behind.product_id)
                filter (where left_behind.product_id is not null),
            []
        ) as product_ids
    from left_behind
    left join products
        on left_behind.product_id = products.product_id
        and left_behind.as_of = products.as_of
    group by left_behind.customer_id, left_behind.as_of

)

select
    customer_id,
    as_of,
    'cart_abandoned' as trigger_key,
    last_carted_at as triggered_at,
    {{ days_after('last_carted_at', var('trigger_cart_expires_days')) }} as expires_at,
    product_ids[1:{{ var('trigger_max_products') }}] as product_ids,
    {{ json_object([['n_products', 'n_products'], ['cart_value', 'round(cart_value, 2)']]) }} as context
from abandoned
where last_carted_at <= {{ dbt.dateadd('hour', '-1 * ' ~ var('trigger_cart_wait_hours'), 'as_of') }}
    and {{ days_after('last_carted_at', var('trigger_cart_expires_days')) }} > as_of
order by as_of, customer_id
