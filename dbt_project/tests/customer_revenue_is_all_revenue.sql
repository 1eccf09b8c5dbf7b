{{ config(tags=["features"], meta={"dagster": {"ref": {"name": "int_customer_orders_as_of"}}}) }}

-- What the customers are worth together is what was ordered before the snapshot less what was given back, to the cent.
with customers as (

    select * from {{ ref('int_customer_as_of') }}
    where has_behaviour

),

orders as (

    select * from {{ ref('fct_orders') }}

),

refunds as (

    select * from {{ ref('fct_refund_lines') }}

),

moved as (

    select
        customers.as_of,
        orders.revenue,
        orders.margin
    from orders
    inner join customers on orders.customer_id = customers.customer_id and orders.occurred_at < customers.as_of
    union all
    select
        customers.as_of,
        -1 * refunds.amount,
        -1 * refunds.margin
    from refunds
    inner join customers on refunds.customer_id = customers.customer_id and refunds.occurred_at < customers.as_of

),

expected as (

    select
        as_of,
        {{ stable_sum('revenue') }} as revenue,
        {{ stable_sum('margin') }} as margin
    from moved
    group by as_of

),

actual as (

    select
        as_of,
        {{ stable_sum('revenue_total') }} as revenue,
        {{ stable_sum('margin_total') }} as margin
    from {{ ref('int_customer_orders_as_of') }}
    group by as_of

)

select
    expected.as_of,
    expected.revenue,
    actual.revenue as revenue_of_customers,
    expected.margin,
    actual.margin as margin_of_customers
from expected
full outer join actual on expected.as_of = actual.as_of
where abs(expected.revenue - actual.revenue) > 0.01 + 1e-9 * abs(expected.revenue)
    or abs(expected.margin - actual.margin) > 0.01 + 1e-9 * abs(expected.margin)
    or expected.as_of is null
    or actual.as_of is null
