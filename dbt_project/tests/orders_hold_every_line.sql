{{ config(tags=["warehouse"], meta={"dagster": {"ref": {"name": "fct_orders"}}}) }}

-- An order is the sum of its lines; what it is worth in the end is lines less discounts less refunds, over all orders.
with lines as (

    select
        order_date,
        count(*) as n_lines,
        {{ stable_sum('gross_revenue - discount') }} as revenue
    from {{ ref('fct_order_lines') }}
    where {{ of_this_run('order_date') }}
    group by order_date

),

orders as (

    select
        order_date,
        sum(n_lines) as n_lines,
        {{ stable_sum('revenue') }} as revenue,
        {{ stable_sum('net_revenue + refunded_amount') }} as revenue_before_refunds
    from {{ ref('fct_orders') }}
    where {{ of_this_run('order_date') }}
    group by order_date

)

select
    lines.order_date,
    lines.n_lines,
    orders.n_lines as n_lines_in_orders,
    lines.revenue,
    orders.revenue as revenue_in_orders
from lines
full outer join orders on lines.order_date = orders.order_date
where lines.n_lines is distinct from orders.n_lines
    or abs(lines.revenue - orders.revenue) > 0.000001 * lines.n_lines + 0.001
    or abs(lines.revenue - orders.revenue_before_refunds) > 0.000001 * lines.n_lines + 0.001
