with events as (

    select * from {{ ref('stg_events') }}

),

products as (

    select * from {{ ref('stg_products') }}

),

lines as (

    select
        event_id as line_id,
        coalesce(order_id, event_id) as order_id,
        customer_id,
        product_id,
        coupon,
        coalesce(quantity, 1) as quantity,
        coalesce(price, 0) as price,
        coalesce(discount, 0) as discount,
        occurred_at
    from events
    where event = 'Order Completed'

),

valued as (

    select
        *,
        quantity * price as gross_revenue,
        quantity * price - discount as revenue
    from lines

)

select
    valued.line_id,
    valued.order_id,
    valued.customer_id,
    valued.product_id,
    valued.coupon,
    valued.quantity,
    valued.price,
    valued.discount,
    valued.gross_revenue,
    valued.revenue,
    {{ margin('valued.revenue', 'valued.quantity', 'products.cost') }} as margin,
    cast(valued.occurred_at as date) as order_date,
    valued.occurred_at
from valued
left join products on valued.product_id = products.product_id
