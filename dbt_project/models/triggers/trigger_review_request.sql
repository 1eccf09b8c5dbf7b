with orders as (

    select * from {{ ref('int_latest_orders_as_of') }}
    where not is_fully_refunded

),

reviews as (

    select * from {{ ref('fct_service_events') }}
    where kind = 'review'

),

kept as (

    select
        customer_id,
        as_of,
        order_id,
        ordered_at,
        revenue,
        unnest(product_ids) as product_id,
        generate_subscripts(product_ids, 1) as position
    from orders

),

reviewed as (

    {# A review that names no product may be of any. #}
    select distinct
        kept.customer_id,
        kept.as_of,
        kept.product_id
    from kept
    inner join reviews
        on kept.customer_id = reviews.customer_id
        and kept.product_id = coalesce(reviews.product_id, kept.product_id)
        and reviews.occurred_at >= kept.ordered_at
        and reviews.occurred_at < kept.as_of

),

open_orders as (

    select
        kept.customer_id,
        kept.as_of,
        kept.order_id,
        kept.ordered_at,
        kept.revenue,
        list(kept.product_id order by kept.position) as product_ids
    from kept
    left join reviewed
        on kept.customer_id = reviewed.customer_id
        and kept.as_of = reviewed.as_of
        and kept.product_id = reviewed.product_id
    where reviewed.customer_id is null
    group by kept.customer_id, kept.as_of, kept.order_id, kept.ordered_at, kept.revenue

)

select
    customer_id,
    as_of,
    'review_request' as trigger_key,
    {{ days_after('ordered_at', var('trigger_review_request_from_days')) }} as triggered_at,
    {{ days_after('ordered_at', var('trigger_review_request_to_days')) }} as expires_at,
    product_ids[1:{{ var('trigger_max_products') }}] as product_ids,
    {{ json_object([['order_id', 'order_id'], ['order_value', 'round(revenue, 2)']]) }} as context
from open_orders
where {{ days_after('ordered_at', var('trigger_review_request_from_days')) }} <= as_of
    and {{ days_after('ordered_at', var('trigger_review_request_to_days')) }} > as_of
order by as_of, customer_id
