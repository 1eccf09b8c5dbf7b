with orders as (

    select * from {{ ref('int_latest_orders_as_of') }}
    where not is_fully_refunded

),

pairs as (

    select * from {{ ref('feat_basket_pairs') }}

),

products as (

    select * from {{ ref('feat_product') }}
    where is_available and not coalesce(is_sensitive, false)

),

kept as (

    select
        *,
        unnest(product_ids) as product_id,
        generate_subscripts(product_ids, 1) as position
    from orders

),

companions as (

    {# What goes with it, is to be had and was not in the same order. #}
    select distinct
        kept.customer_id,
        kept.as_of,
        kept.product_id
    from kept
    inner join pairs
        on kept.product_id = pairs.product_id
        and kept.as_of = pairs.as_of
        and not list_contains(kept.product_ids, pairs.other_product_id)
    inner join products
        on pairs.other_product_id = products.product_id
        and pairs.as_of = products.as_of

),

accompanied as (

    select
        kept.customer_id,
        kept.as_of,
        kept.order_id,
        kept.ordered_at,
        kept.revenue,
        list(kept.product_id order by kept.position) as product_ids
    from kept
    inner join companions
        on kept.customer_id = companions.customer_id
        and kept.as_of = companions.as_of
        and kept.product_id = companions.product_id
    group by kept.customer_id, kept.as_of, kept.order_id, kept.ordered_at, kept.revenue

)

select
    customer_id,
    as_of,
    'cross_sell' as trigger_key,
    {{ days_after('ordered_at', var('trigger_cross_sell_from_days')) }} as triggered_at,
    {{ days_after('ordered_at', var('trigger_cross_sell_to_days')) }} as expires_at,
    product_ids[1:{{ var('trigger_max_products') }}] as product_ids,
    {{ json_object([['order_id', 'order_id'], ['order_value', 'round(revenue, 2)']]) }} as context
from accompanied
where {{ days_after('ordered_at', var('trigger_cross_sell_from_days')) }} <= as_of
    and {{ days_after('ordered_at', var('trigger_cross_sell_to_days')) }} > as_of
order by as_of, customer_id
