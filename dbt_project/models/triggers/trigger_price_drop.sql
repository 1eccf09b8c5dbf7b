with customers as (

    select * from {{ ref('int_customer_as_of') }}
    where has_behaviour

),

products as (

    select * from {{ ref('int_product_as_of') }}

),

versions as (

    select * from {{ ref('dim_product_versions') }}

),

catalogue as (

    select * from {{ ref('dim_products') }}

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

in_basket as (

    select customer_id, as_of, unnest(product_ids) as product_id from baskets

),

dropped as (

    select
        products.product_id,
        products.as_of,
        catalogue.is_consumable,
        products.price,
        products.price_changed_at as dropped_at
    from products
    inner join catalogue on products.product_id = catalogue.product_id
    where
        products.is_available
        and products.price < products.previous_price
        and products.price_changed_at >= {{ days_before('products.as_of', var('trigger_price_drop_days')) }}
        and not catalogue.is_sensitive

),

seen as (

    select
        customers.customer_id,
        dropped.as_of,
        dropped.product_id,
        dropped.is_consumable,
        dropped.price,
        dropped.dropped_at,
        bool_or(site_events.event = 'Product Added') as is_carted,
        min(site_events.occurred_at) as first_seen_at,
        max(site_events.occurred_at) as last_seen_at
    from dropped
    inner join site_events
        on dropped.product_id = site_events.product_id
        and site_events.occurred_at >= {{ days_before('dropped.as_of', var('trigger_price_drop_interest_days')) }}
        and site_events.occurred_at < dropped.as_of
    inner join customers
        on site_events.customer_id = customers.customer_id
        and dropped.as_of = customers.as_of
        and site_events.known_at < customers.as_of
    group by
        customers.customer_id, dropped.as_of, dropped.product_id, dropped.is_consumable, dropped.price, dropped.dropped_at

),

compared as (

    select
        seen.*,
        versions.price as old_price,
        round(100 * (1 - seen.price / versions.price), 6) as drop_percent
    from seen
    inner join versions
        on seen.product_id = versions.product_id
        and seen.last_seen_at >= versions.valid_from
        and (versions.valid_to is null or seen.last_seen_at < versions.valid_to)
    where versions.price > 0

),

cheaper as (

    select *
    from compared
    where
        drop_percent >= {{ var('trigger_price_drop_percent') }}
        {# What lies in the basket is the basket's own message. #}
        and not exists (
            select 1
            from in_basket
            where in_basket.customer_id = compared.customer_id
                and in_basket.as_of = compared.as_of
                and in_basket.product_id = compared.product_id
        )
        and not exists (
            select 1
            from order_lines
            where order_lines.customer_id = compared.customer_id
                and order_lines.product_id = compared.product_id
                and order_lines.occurred_at < compared.as_of
                and (
                    order_lines.occurred_at >= compared.first_seen_at
                    or (
                        not compared.is_consumable
                        and order_lines.occurred_at >= {{ days_before('compared.as_of', var('trigger_bought_before_days')) }}
                    )
                )
        )

),

ranked as (

    select
        customer_id,
        as_of,
        max(dropped_at) as dropped_at,
        count(*) as n_products,
        list(product_id order by is_carted desc, drop_percent desc, last_seen_at desc, product_id) as product_ids,
        list(old_price order by is_carted desc, drop_percent desc, last_seen_at desc, product_id) as old_prices,
        list(price order by is_carted desc, drop_percent desc, last_seen_at desc, product_id) as new_prices,
        list(drop_percent order by is_carted desc, drop_percent desc, last_seen_at desc, product_id) as drop_percents
    from cheaper
    group by customer_id, as_of

)

select
    customer_id,
    as_of,
    'price_drop' as trigger_key,
    dropped_at as triggered_at,
    {{ days_after('dropped_at', var('trigger_price_drop_days')) }} as expires_at,
    product_ids[1:{{ var('trigger_max_products') }}] as product_ids,
    {{ json_object([
        ['old_price', 'round(old_prices[1], 2)'],
        ['new_price', 'round(new_prices[1], 2)'],
        ['drop_pct', 'cast(floor(drop_percents[1]) as integer)'],
        ['n_products', 'n_products'],
    ]) }} as context
from ranked
where {{ days_after('dropped_at', var('trigger_price_drop_days')) }} > as_of
order by as_of, customer_id
