{{ config(materialized='view') }}

{#- The margin is joined here: a cost that is corrected in the catalogue corrects every line at once. -#}
with order_lines as (

    select * from {{ ref('int_order_lines') }}

),

products as (

    select * from {{ ref('stg_products') }}

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
    {{ margin('order_lines.revenue', 'order_lines.quantity', 'products.cost') }} as margin,
    order_lines.order_date,
    order_lines.occurred_at
from order_lines
left join products on order_lines.product_id = products.product_id
