with customers as (

    select * from {{ ref('int_customer_as_of') }}
    where has_behaviour
        and {{ label_window_is_over(var('label_horizon_days')) }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

refunds as (

    select * from {{ ref('fct_refund_lines') }}

),

bought as (

    select
        customers.customer_id,
        customers.as_of,
        count(distinct orders.order_date) as n_order_days,
        {{ stable_sum('orders.revenue') }} as revenue,
        {{ stable_sum('orders.margin') }} as margin
    from orders
    inner join customers
        on orders.customer_id = customers.customer_id
        and {{ in_label_window('orders.occurred_at', var('label_horizon_days')) }}
    group by customers.customer_id, customers.as_of

),

given_back as (

    select
        customers.customer_id,
        customers.as_of,
        {{ stable_sum('refunds.amount') }} as amount,
        {{ stable_sum('refunds.margin') }} as margin
    from refunds
    inner join customers
        on refunds.customer_id = customers.customer_id
        and {{ in_label_window('refunds.occurred_at', var('label_horizon_days')) }}
    group by customers.customer_id, customers.as_of

)

select
    customers.customer_id,
    customers.as_of,
    cast({{ var('label_horizon_days') }} as integer) as horizon_days,
    cast(coalesce(bought.n_order_days, 0) as integer) as orders,
    coalesce(bought.revenue, 0) - coalesce(given_back.amount, 0) as revenue,
    coalesce(bought.margin, 0) - coalesce(given_back.margin, 0) as margin,
    bought.customer_id is null as is_churned
from customers
left join bought on customers.customer_id = bought.customer_id and customers.as_of = bought.as_of
left join given_back on customers.customer_id = given_back.customer_id and customers.as_of = given_back.as_of
order by customers.as_of, customers.customer_id
