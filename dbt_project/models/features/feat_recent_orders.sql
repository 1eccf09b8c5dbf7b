with customers as (

    select * from {{ ref('int_customer_as_of') }}
    where has_behaviour

),

orders as (

    select * from {{ ref('fct_orders') }}

),

attributions as (

    select * from {{ ref('fct_order_attributions') }}

),

{# Of an order whose lines come at several moments, those that had come by then. #}
placed as (

    select
        orders.order_id,
        customers.customer_id,
        customers.as_of,
        {{ stable_sum('orders.revenue') }} as revenue,
        {{ stable_sum('orders.margin') }} as margin,
        min(orders.occurred_at) as ordered_at
    from orders
    inner join customers
        on orders.customer_id = customers.customer_id
        and orders.occurred_at < customers.as_of
    group by orders.order_id, customers.customer_id, customers.as_of

)

select
    placed.order_id,
    placed.customer_id,
    placed.as_of,
    attributions.message_id,
    placed.revenue,
    placed.margin,
    placed.ordered_at
from placed
left join attributions
    on placed.order_id = attributions.order_id
    and placed.customer_id = attributions.customer_id
where placed.ordered_at >= {{ days_before('placed.as_of', var('outcome_days')) }}
order by placed.as_of, placed.customer_id, placed.ordered_at, placed.order_id
