{{ config(materialized='view') }}

with refund_lines as (

    select * from {{ ref('int_refund_lines') }}

),

products as (

    select * from {{ ref('stg_products') }}

)

select
    refund_lines.refund_id,
    refund_lines.order_id,
    refund_lines.customer_id,
    refund_lines.product_id,
    refund_lines.quantity,
    refund_lines.amount,
    {{ margin('refund_lines.amount', 'refund_lines.quantity', 'products.cost') }} as margin,
    refund_lines.event_date,
    refund_lines.occurred_at
from refund_lines
left join products on refund_lines.product_id = products.product_id
