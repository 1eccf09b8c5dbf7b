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

    select * from {{ ref('int_product_as_of') }}

),

known_events as (

    select
        customers.customer_id,
        customers.as_of,
        site_events.product_id,
        site_events.event,
        site_events.quantity,
        site_events.occurred_at
    from site_events
    inner join customers
        on site_events.customer_id = customers.customer_id
        and site_events.known_at < customers.as_of
        and site_events.occurred_at >= {{ days_before('customers.as_of', var('basket_open_days')) }}

),

visitors as (

    select
        customer_id,
        as_of,
        max(occurred_at) as last_active_at,
        max(occurred_at) filter (where event = 'Product Removed') as last_removed_at,
        max(occurred_at) filter (where event = 'Checkout Started') as last_checkout_at
    from known_events
    group by customer_id, as_of

),

ordered as (

    select
        visitors.customer_id,
        visitors.as_of,
        order_lines.product_id,
        max(order_lines.occurred_at) as last_ordered_at
    from order_lines
    inner join visitors
        on order_lines.customer_id = visitors.customer_id
        and order_lines.occurred_at < visitors.as_of
        and order_lines.occurred_at >= {{ days_before('visitors.as_of', var('basket_open_days')) }}
    group by visitors.customer_id, visitors.as_of, order_lines.product_id

),

last_orders as (

    select
        customer_id,
        as_of,
        max(last_ordered_at) as last_ordered_at
    from ordered
    group by customer_id, as_of

),

items as (

    {# What happened to a product before it was last ordered is settled. #}
    select
        known_events.customer_id,
        known_events.as_of,
        known_events.product_id,
        sum(case known_events.event
            when 'Product Added' then known_events.quantity
            when 'Product Removed' then -known_events.quantity
            else 0
        end) as n_units,
        max(known_events.occurred_at) filter (where known_events.event = 'Checkout Started') as last_checkout_at,
        max(known_events.occurred_at) filter (where known_events.event = 'Product Removed') as last_removed_at,
        max(known_events.occurred_at) filter (where known_events.event <> 'Product Removed') as last_carted_at
    from known_events
    left join ordered
        on known_events.customer_id = ordered.customer_id
        and known_events.as_of = ordered.as_of
        and known_events.product_id = ordered.product_id
    where known_events.product_id is not null
        and (ordered.last_ordered_at is null or known_events.occurred_at > ordered.last_ordered_at)
    group by known_events.customer_id, known_events.as_of, known_events.product_id

),

valued_items as (

    select
        items.*,
        items.last_carted_at is not null
        and (
            items.n_units > 0
            or coalesce(items.last_checkout_at > items.last_removed_at, items.last_checkout_at is not null)
        ) as is_open,
        greatest(items.n_units, 1) * products.price as value
    from items
    left join products on items.product_id = products.product_id and items.as_of = products.as_of

),

contents as (

    select
        customer_id,
        as_of,
        coalesce(list(product_id order by last_carted_at desc, product_id) filter (where is_open), []) as product_ids,
        count(*) filter (where is_open) as n_products,
        {{ stable_sum('value', where='is_open') }} as basket_value,
        max(last_carted_at) filter (where is_open) as last_carted_at
    from valued_items
    group by customer_id, as_of

),

baskets as (

    select
        visitors.customer_id,
        visitors.as_of,
        coalesce(contents.product_ids, []) as product_ids,
        cast(coalesce(contents.n_products, 0) as integer) as n_products,
        contents.basket_value,
        contents.last_carted_at,
        visitors.last_active_at,
        {# A checkout is open until anything is ordered or all that is known of the basket is taken out. #}
        case
            when last_orders.last_ordered_at >= visitors.last_checkout_at then null
            when contents.n_products > 0 then visitors.last_checkout_at
            when contents.customer_id is not null or visitors.last_removed_at >= visitors.last_checkout_at then null
            else visitors.last_checkout_at
        end as open_checkout_at
    from visitors
    left join contents
        on visitors.customer_id = contents.customer_id
        and visitors.as_of = contents.as_of
    left join last_orders
        on visitors.customer_id = last_orders.customer_id
        and visitors.as_of = last_orders.as_of

)

select
    customer_id,
    as_of,
    product_ids,
    n_products,
    basket_value,
    last_carted_at,
    last_active_at,
    open_checkout_at
from baskets
where n_products > 0 or open_checkout_at is not null
