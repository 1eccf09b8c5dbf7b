{{ config(tags=['warehouse']) }}

-- Lines and money are the same by line and by order.
with lines as (

    select count(*) as n_lines, sum(revenue) as revenue from {{ ref('fct_order_lines') }}

),

orders as (

    select sum(n_lines) as n_lines, sum(revenue) as revenue from {{ ref('fct_orders') }}

)

select
    lines.n_lines,
    orders.n_lines as n_lines_in_orders,
    lines.revenue,
    orders.revenue as revenue_in_orders
from lines
cross join orders
where lines.n_lines <> coalesce(orders.n_lines, 0)
    or abs(lines.revenue - orders.revenue) > 0.000001 * lines.n_lines + 0.001
