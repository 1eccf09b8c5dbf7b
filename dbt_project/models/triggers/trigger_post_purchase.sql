with customers as (

    select * from {{ ref('int_customer_as_of') }}
    where has_behaviour

),

order_lines as (

    select * from {{ ref('fct_order_lines') }}

),

latest as (

    select
        customers.customer_id,
        customers.as_of,
        order_lines.order_id,
        order_lines.product_id,
        order_lines.revenue,
        order_lines.occurred_at,
        dense_rank() over (
            partition by customers.customer_id, customers.as_of
            order by order_lines.occurred_at desc, order_lines.order_id
        ) as nth_from_last
    from order_lines
    inner join customers
        on order_lines.customer_id = customers.customer_id
        and order_lines.occurred_at < customers.as_of
        and order_lines.occurred_at > {{ days_before('customers.as_of', var('trigger_post_purchase_to_days')) }}

),

product_totals as (

    select
        customer_id,
        as_of,
        order_id,
        occurred_at,
        product_id,
        {{ stable_sum('revenue') }} as revenue
    from latest
    where nth_from_last = 1
    group by customer_id, as_of, order_id, occurred_at, product_id

),

orders as (

    select
        customer_id,
        as_of,
        order_id,
        occurred_at as ordered_at,
        {{ stable_sum('revenue') }} as revenue,
        coalesce(
            list(product_id order by revenue desc, product_id) filter (where product_id is not null),
            []
        ) as product_ids
    from product_totals
    group by customer_id, as_of, order_id, occurred_at

)

select
    customer_id,
    as_of,
    'post_purchase' as trigger_key,
    {{ days_after('ordered_at', var('trigger_post_purchase_from_days')) }} as triggered_at,
    {{ days_after('ordered_at', var('trigger_post_purchase_to_days')) }} as expires_at,
    product_ids[1:{{ var('trigger_max_products') }}] as product_ids,
    {{ json_object([['order_id', 'order_id'], ['order_value', 'round(revenue, 2)']]) }} as context
from orders
where {{ days_after('ordered_at', var('trigger_post_purchase_from_days')) }} <= as_of
    and {{ days_after('ordered_at', var('trigger_post_purchase_to_days')) }} > as_of
order by as_of, customer_id
