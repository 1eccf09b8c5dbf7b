with events as (

    select * from {{ ref('stg_events') }}

),

products as (

    select * from {{ ref('stg_products') }}

),

refunds as (

    select
        event_id as refund_id,
        coalesce(order_id, event_id) as order_id,
        customer_id,
        product_id,
        abs(coalesce(quantity, 1)) as quantity,
        abs(coalesce(quantity, 1) * coalesce(price, 0)) - coalesce(discount, 0) as amount,
        occurred_at
    from events
    where event = 'Order Refunded'

)

select
    refunds.refund_id,
    refunds.order_id,
    refunds.customer_id,
    refunds.product_id,
    refunds.quantity,
    refunds.amount,
    {{ margin('refunds.amount', 'refunds.quantity', 'products.cost') }} as margin,
    refunds.occurred_at
from refunds
left join products on refunds.product_id = products.product_id
