{{ config(materialized='view') }}

with refund_lines as (

    select * from {{ ref('int_refund_lines') }}

),

order_lines as (

    select * from {{ ref('int_order_lines') }}

),

{# A refund that names no customer is that of the one buyer of its order, as far as the order had come by then. #}
owners as (

    select
        refund_lines.refund_id,
        min(order_lines.customer_id) as customer_id
    from refund_lines
    inner join order_lines
        on refund_lines.order_id = order_lines.order_id
        and order_lines.occurred_at <= refund_lines.occurred_at
    where refund_lines.customer_id is null
    group by refund_lines.refund_id
    having min(order_lines.customer_id) = max(order_lines.customer_id)

),

versions as (

    select * from {{ ref('dim_product_versions') }}

)

select
    refund_lines.refund_id,
    refund_lines.order_id,
    coalesce(refund_lines.customer_id, owners.customer_id) as customer_id,
    refund_lines.product_id,
    refund_lines.quantity,
    refund_lines.amount,
    {{ margin('refund_lines.amount', 'refund_lines.quantity', 'versions.cost') }} as margin,
    refund_lines.event_date,
    refund_lines.occurred_at
from refund_lines
left join owners on refund_lines.refund_id = owners.refund_id
left join versions
    on refund_lines.product_id = versions.product_id
    and refund_lines.occurred_at >= versions.valid_from
    and (versions.valid_to is null or refund_lines.occurred_at < versions.valid_to)
