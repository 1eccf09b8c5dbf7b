with orders as (

    select * from {{ ref('int_latest_orders_as_of') }}
    where not is_fully_refunded

)

select
    customer_id,
    as_of,
    'post_purchase_tips' as trigger_key,
    {{ days_after('ordered_at', var('trigger_post_purchase_tips_from_days')) }} as triggered_at,
    {{ days_after('ordered_at', var('trigger_post_purchase_tips_to_days')) }} as expires_at,
    product_ids[1:{{ var('trigger_max_products') }}] as product_ids,
    {{ json_object([['order_id', 'order_id'], ['order_value', 'round(revenue, 2)']]) }} as context
from orders
where {{ days_after('ordered_at', var('trigger_post_purchase_tips_from_days')) }} <= as_of
    and {{ days_after('ordered_at', var('trigger_post_purchase_tips_to_days')) }} > as_of
order by as_of, customer_id
