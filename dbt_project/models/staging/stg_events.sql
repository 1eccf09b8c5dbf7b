with events as (

    select * from {{ source('raw', 'raw_events') }}

)

select
    cast(event_id as varchar) as event_id,
    cast(event as varchar) as event,
    cast(customer_id as varchar) as customer_id,
    cast(anonymous_id as varchar) as anonymous_id,
    cast(product_id as varchar) as product_id,
    cast(content_id as varchar) as content_id,
    cast(order_id as varchar) as order_id,
    cast(message_id as varchar) as message_id,
    cast(coupon as varchar) as coupon,
    cast(url as varchar) as url,
    cast(query as varchar) as query,
    cast(device as varchar) as device,
    cast(user_agent as varchar) as user_agent,
    cast(properties as varchar) as properties,
    cast(quantity as double) as quantity,
    cast(price as double) as price,
    cast(discount as double) as discount,
    cast(day as date) as event_date,
    cast(occurred_at as timestamp) as occurred_at
from events
