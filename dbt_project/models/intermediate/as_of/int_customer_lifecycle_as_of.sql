with customers as (

    select * from {{ ref('int_customer_as_of') }}

),

orders as (

    select * from {{ ref('int_customer_orders_as_of') }}

),

clocks as (

    select
        customers.customer_id,
        customers.as_of,
        coalesce(orders.n_order_days, 0) as n_order_days,
        {{ days_between('orders.first_order_at', 'customers.as_of') }} as days_since_first_order,
        {{ days_between('orders.last_order_at', 'customers.as_of') }} as days_since_last_order,
        orders.mean_gap_days
    from customers
    left join orders
        on customers.customer_id = orders.customer_id
        and customers.as_of = orders.as_of

)

select
    customer_id,
    as_of,
    {{ lifecycle_stage(
        'n_order_days', 'days_since_first_order', 'days_since_last_order', 'mean_gap_days'
    ) }} as lifecycle_stage,
    days_since_first_order,
    days_since_last_order,
    {{ at_risk_after_days('mean_gap_days') }} as at_risk_after_days
from clocks
