with lifecycle as (

    select * from {{ ref('int_customer_lifecycle_as_of') }}

),

orders as (

    select * from {{ ref('int_customer_orders_as_of') }}

),

silent as (

    select
        lifecycle.customer_id,
        lifecycle.as_of,
        lifecycle.lifecycle_stage,
        lifecycle.days_since_last_order,
        {{ fractional_days_after('orders.last_order_at', 'lifecycle.at_risk_after_days') }} as triggered_at,
        {{ days_after('orders.last_order_at', var('trigger_win_back_max_days')) }} as expires_at
    from lifecycle
    inner join orders
        on lifecycle.customer_id = orders.customer_id
        and lifecycle.as_of = orders.as_of
    where lifecycle.lifecycle_stage in ('at_risk', 'lapsed')

)

select
    customer_id,
    as_of,
    'win_back' as trigger_key,
    triggered_at,
    expires_at,
    cast([] as varchar[]) as product_ids,
    {{ json_object([
        ['lifecycle_stage', 'lifecycle_stage'],
        ['days_since_last_order', 'cast(floor(days_since_last_order) as integer)'],
    ]) }} as context
from silent
where triggered_at <= as_of and expires_at > as_of
order by as_of, customer_id
