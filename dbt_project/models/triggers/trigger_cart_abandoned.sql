with baskets as (

    select * from {{ ref('int_open_baskets_as_of') }}
    where n_products > 0

),

checkouts as (

    select * from {{ ref('trigger_checkout_abandoned') }}

)

select
    baskets.customer_id,
    baskets.as_of,
    'cart_abandoned' as trigger_key,
    baskets.last_carted_at as triggered_at,
    {{ days_after('baskets.last_carted_at', var('trigger_cart_expires_days')) }} as expires_at,
    baskets.product_ids[1:{{ var('trigger_max_products') }}] as product_ids,
    {{ json_object([
        ['n_products', 'baskets.n_products'],
        ['cart_value', 'round(baskets.basket_value, 2)'],
    ]) }} as context
from baskets
left join checkouts
    on baskets.customer_id = checkouts.customer_id
    and baskets.as_of = checkouts.as_of
where checkouts.customer_id is null
    and baskets.last_active_at <= {{ dbt.dateadd('hour', '-1 * ' ~ var('trigger_cart_wait_hours'), 'baskets.as_of') }}
    and {{ days_after('baskets.last_carted_at', var('trigger_cart_expires_days')) }} > baskets.as_of
order by baskets.as_of, baskets.customer_id
