{{ config(materialized='view') }}

{#- The margin is joined here, at the cost of that moment: what is corrected in the catalogue corrects every line at once. -#}
with order_lines as (

    select * from {{ ref('int_order_lines') }}

),

versions as (

    select * from {{ ref('dim_product_versions') }}

)

select
    order_lines.line_id,
    order_lines.order_id,
    order_lines.customer_id,
    order_lines.product_id,
    order_lines.coupon,
    order_lines.device,
    order_lines.quantity,
    order_lines.price,
    order_lines.discount,
    order_lines.gross_revenue,
    order_lines.revenue,
    {{ margin('order_lines.revenue', 'order_lines.quantity', 'versions.cost') }} as margin,
    order_lines.order_date,
    order_lines.occurred_at
from order_lines
left join versions
    on order_lines.product_id = versions.product_id
    and order_lines.occurred_at >= versions.valid_from
    and (versions.valid_to is null or order_lines.occurred_at < versions.valid_to)
