{# As far back as the longest of the windows after an order. #}
{%- set windows = ['post_purchase_thanks', 'post_purchase_tips', 'nth_order', 'review_request', 'cross_sell'] %}
{%- set days = [] %}
{%- for window in windows %}{% do days.append(var('trigger_' ~ window ~ '_to_days')) %}{% endfor -%}
with customers as (

    select * from {{ ref('int_customer_as_of') }}
    where has_behaviour

),

order_lines as (

    select * from {{ ref('fct_order_lines') }}

),

refund_lines as (

    select * from {{ ref('fct_refund_lines') }}

),

known_lines as (

    select
        customers.customer_id,
        customers.as_of,
        order_lines.order_id,
        order_lines.product_id,
        order_lines.quantity,
        order_lines.revenue,
        max(order_lines.occurred_at) over (
            partition by customers.customer_id, customers.as_of, order_lines.order_id
        ) as ordered_at
    from order_lines
    inner join customers
        on order_lines.customer_id = customers.customer_id
        and order_lines.occurred_at < customers.as_of
        and order_lines.occurred_at > {{ days_before('customers.as_of', days | max) }}

),

latest_lines as (

    select *
    from known_lines
    qualify dense_rank() over (
        partition by customer_id, as_of
        order by ordered_at desc, order_id
    ) = 1

),

bought as (

    select
        customer_id,
        as_of,
        order_id,
        ordered_at,
        product_id,
        sum(quantity) as n_units,
        {{ stable_sum('revenue') }} as revenue
    from latest_lines
    group by customer_id, as_of, order_id, ordered_at, product_id

),

refunded as (

    select
        bought.customer_id,
        bought.as_of,
        bought.order_id,
        refund_lines.product_id,
        sum(refund_lines.quantity) as n_units,
        {{ stable_sum('refund_lines.amount') }} as amount
    from refund_lines
    inner join (select distinct customer_id, as_of, order_id from bought) as bought
        on refund_lines.order_id = bought.order_id
        and refund_lines.customer_id = bought.customer_id
        and refund_lines.occurred_at < bought.as_of
    group by bought.customer_id, bought.as_of, bought.order_id, refund_lines.product_id

),

refund_totals as (

    select
        customer_id,
        as_of,
        order_id,
        {{ stable_sum('amount') }} as amount
    from refunded
    group by customer_id, as_of, order_id

),

kept as (

    select
        bought.*,
        coalesce(refunded.n_units, 0) < bought.n_units as is_kept
    from bought
    left join refunded
        on bought.customer_id = refunded.customer_id
        and bought.as_of = refunded.as_of
        and bought.order_id = refunded.order_id
        and bought.product_id is not distinct from refunded.product_id

),

orders as (

    select
        customer_id,
        as_of,
        order_id,
        ordered_at,
        {{ stable_sum('revenue') }} as revenue,
        count(*) filter (where is_kept) as n_kept,
        coalesce(
            list(product_id order by revenue desc, product_id) filter (where is_kept and product_id is not null),
            []
        ) as product_ids
    from kept
    group by customer_id, as_of, order_id, ordered_at

)

select
    orders.customer_id,
    orders.as_of,
    orders.order_id,
    orders.ordered_at,
    orders.revenue,
    orders.product_ids,
    orders.n_kept = 0
    or coalesce(orders.revenue > 0 and refund_totals.amount >= orders.revenue - 0.005, false) as is_fully_refunded
from orders
left join refund_totals
    on orders.customer_id = refund_totals.customer_id
    and orders.as_of = refund_totals.as_of
    and orders.order_id = refund_totals.order_id
