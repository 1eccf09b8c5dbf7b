with orders as (

    select * from {{ ref('int_customer_orders_as_of') }}

),

latest_orders as (

    select * from {{ ref('int_latest_orders_as_of') }}
    where not is_fully_refunded

),

milestones as (

    select
        orders.customer_id,
        orders.as_of,
        orders.n_orders,
        latest_orders.ordered_at
    from orders
    inner join latest_orders
        on orders.customer_id = latest_orders.customer_id
        and orders.as_of = latest_orders.as_of
    where orders.n_orders in ({{ var('trigger_nth_order_milestones') | join(', ') }})

)

select
    customer_id,
    as_of,
    'nth_order' as trigger_key,
    {{ days_after('ordered_at', var('trigger_nth_order_from_days')) }} as triggered_at,
    {{ days_after('ordered_at', var('trigger_nth_order_to_days')) }} as expires_at,
    cast([] as varchar[]) as product_ids,
    {{ json_object([['n_orders', 'n_orders']]) }} as context
from milestones
where {{ days_after('ordered_at', var('trigger_nth_order_from_days')) }} <= as_of
    and {{ days_after('ordered_at', var('trigger_nth_order_to_days')) }} > as_of
order by as_of, customer_id
