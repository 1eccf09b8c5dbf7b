with customers as (

    select * from {{ ref('int_customer_as_of') }}
    where has_behaviour

),

products as (

    select * from {{ ref('int_product_as_of') }}

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

returned as (

    select
        products.product_id,
        products.as_of,
        catalogue.is_consumable,
        products.stock_changed_at as back_at,
        products.previous_stock_changed_at as out_since
    from products
    inner join catalogue on products.product_id = catalogue.product_id
    where
        products.is_available
        and products.stock_changed_at >= {{ days_before('products.as_of', var('trigger_back_in_stock_days')) }}
        and not catalogue.is_sensitive

),

wanted as (

    select
        customers.customer_id,
        returned.as_of,
        returned.product_id,
        returned.is_consumable,
        returned.back_at,
        returned.out_since,
        count(*) filter (where site_events.event = 'Product Viewed') as n_views,
        bool_or(site_events.event = 'Product Added') as is_carted,
        min(site_events.occurred_at) as first_wanted_at,
        max(site_events.occurred_at) as last_wanted_at
    from returned
    inner join site_events
        on returned.product_id = site_events.product_id
        and site_events.occurred_at >= {{ days_before('returned.as_of', var('trigger_back_in_stock_interest_days')) }}
        and site_events.occurred_at < returned.as_of
    inner join customers
        on site_events.customer_id = customers.customer_id
        and returned.as_of = customers.as_of
        and site_events.known_at < customers.as_of
    group by
        customers.customer_id, returned.as_of, returned.product_id, returned.is_consumable, returned.back_at,
        returned.out_since

),

missed as (

    select *
    from wanted
    where
        (n_views >= {{ var('trigger_back_in_stock_views') }} or is_carted)
        and last_wanted_at < back_at
        {# What lies in the basket is the basket's own message. #}
        and not exists (
            select 1
            from in_basket
            where in_basket.customer_id = wanted.customer_id
                and in_basket.as_of = wanted.as_of
                and in_basket.product_id = wanted.product_id
        )
        and not exists (
            select 1
            from order_lines
            where order_lines.customer_id = wanted.customer_id
                and order_lines.product_id = wanted.product_id
                and order_lines.occurred_at < wanted.as_of
                and (
                    order_lines.occurred_at >= wanted.first_wanted_at
                    or (
                        not wanted.is_consumable
                        and order_lines.occurred_at >= {{ days_before('wanted.as_of', var('trigger_bought_before_days')) }}
                    )
                )
        )

),

back as (

    select
        customer_id,
        as_of,
        max(back_at) as back_at,
        count(*) as n_products,
        list(product_id order by is_carted desc, n_views desc, last_wanted_at desc, product_id) as product_ids,
        list(
            cast(round({{ days_between('out_since', 'back_at') }}) as integer)
            order by is_carted desc, n_views desc, last_wanted_at desc, product_id
        ) as days_out
    from missed
    group by customer_id, as_of

)

select
    customer_id,
    as_of,
    'back_in_stock' as trigger_key,
    back_at as triggered_at,
    {{ days_after('back_at', var('trigger_back_in_stock_days')) }} as expires_at,
    product_ids[1:{{ var('trigger_max_products') }}] as product_ids,
    {{ json_object([['days_out', 'days_out[1]'], ['n_products', 'n_products']]) }} as context
from back
where {{ days_after('back_at', var('trigger_back_in_stock_days')) }} > as_of
order by as_of, customer_id
