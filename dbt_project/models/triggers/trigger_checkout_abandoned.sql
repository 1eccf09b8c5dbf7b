with baskets as (

    select * from {{ ref('int_open_baskets_as_of') }}
    where open_checkout_at is not null

)

select
    customer_id,
    as_of,
    'checkout_abandoned' as trigger_key,
    open_checkout_at as triggered_at,
    {{ days_after('open_checkout_at', var('trigger_checkout_expires_days')) }} as expires_at,
    product_ids[1:{{ var('trigger_max_products') }}] as product_ids,
    {{ json_object([['n_products', 'n_products'], ['basket_value', 'round(basket_value, 2)']]) }} as context
from baskets
where last_active_at <= {{ dbt.dateadd('hour', '-1 * ' ~ var('trigger_checkout_wait_hours'), 'as_of') }}
    and {{ days_after('open_checkout_at', var('trigger_checkout_expires_days')) }} > as_of
order by as_of, customer_id
