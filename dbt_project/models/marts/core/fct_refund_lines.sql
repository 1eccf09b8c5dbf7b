{{ config(materialized='view') }}

with refund_lines as (

    select * from {{ ref('int_refund_lines') }}

),

versions as (

    select * from {{ ref('dim_product_versions') }}

)

select
    refund_lines.refund_id,
    refund_lines.order_id,
    refund_lines.customer_id,
    refund_lines.product_id,
    refund_lines.quantity,
    refund_lines.amount,
    {{ margin('refund_lines.amount', 'refund_lines.quantity', 'versions.cost') }} as margin,
    refund_lines.event_date,
    refund_lines.occurred_at
from refund_lines
left join versions
    on refund_lines.product_id = versions.product_id
    and refund_lines.occurred_at >= versions.valid_from
    and (versions.valid_to is null or refund_lines.occurred_at < versions.valid_to)
