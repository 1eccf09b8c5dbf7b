{{ config(materialized='view') }}

with order_lines as (

    select * from {{ ref('fct_order_lines') }}

),

refunds as (

    select * from {{ ref('fct_refund_lines') }}

),

orders as (

    select
        order_id,
        customer_id,
        cast(count(*) as integer) as n_lines,
        cast(sum(quantity) as integer) as n_units,
        count(coupon) > 0 as has_coupon,
        {{ stable_sum('gross_revenue') }} as gross_revenue,
        coalesce({{ stable_sum('gross_revenue', where='discount > 0') }}, 0) as discounted_gross_revenue,
        {{ stable_sum('discount') }} as discount,
        {{ stable_sum('revenue') }} as revenue,
        {{ stable_sum('margin') }} as margin,
        order_date,
        occurred_at
    from order_lines
    group by order_id, customer_id, order_date, occurred_at

),

numbered as (

    select
        *,
        row_number() over (partition by order_id, customer_id order by occurred_at) as nth_part
    from orders

),

given_back as (

    select
        order_id,
        customer_id,
        {{ stable_sum('amount') }} as amount
    from refunds
    group by order_id, customer_id

)

select
    numbered.order_id,
    numbered.customer_id,
    numbered.n_lines,
    numbered.n_units,
    numbered.has_coupon,
    numbered.gross_revenue,
    numbered.discounted_gross_revenue,
    numbered.discount,
    numbered.revenue,
    numbered.margin,
    coalesce(given_back.amount, 0) as refunded_amount,
    numbered.revenue - coalesce(given_back.amount, 0) as net_revenue,
    numbered.order_date,
    numbered.occurred_at
from numbered
left join given_back
    on numbered.order_id = given_back.order_id
    and numbered.customer_id is not distinct from given_back.customer_id
    and numbered.nth_part = 1
