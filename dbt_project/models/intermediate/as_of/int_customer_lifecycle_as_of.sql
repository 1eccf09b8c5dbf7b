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
        cast({{ at_risk_after_days('orders.mean_gap_days') }} as double) as at_risk_after_days,
        cast({{ lapsed_after_days('orders.mean_gap_days') }} as double) as lapsed_after_days
    from customers
    left join orders
        on customers.customer_id = orders.customer_id
        and customers.as_of = orders.as_of

)

select
    customer_id,
    as_of,
    case
        when n_order_days = 0 then 'prospect'
        when days_since_last_order > lapsed_after_days then 'lapsed'
        when days_since_last_order > at_risk_after_days then 'at_risk'
        when n_order_days = 1 and days_since_first_order <= {{ var('new_customer_days') }} then 'new'
        when n_order_days >= {{ var('loyal_order_days') }} then 'loyal'
        else 'active'
    end as lifecycle_stage,
    days_since_first_order,
    days_since_last_order,
    at_risk_after_days
from clocks
