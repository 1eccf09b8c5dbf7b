with customers as (

    select * from {{ ref('int_customer_as_of') }}
    where has_behaviour

),

purchases as (

    select * from {{ ref('int_purchase_days') }}

),

products as (

    select * from {{ ref('dim_products') }}

),

repurchases as (

    select * from {{ ref('int_product_repurchase_as_of') }}

),

baskets as (

    select * from {{ ref('int_open_baskets_as_of') }}

),

consumed as (

    select
        customers.customer_id,
        customers.as_of,
        purchases.product_id,
        repurchases.median_repurchase_days as product_gap_days,
        sum(purchases.n_orders) as n_purchases,
        count(purchases.gap_days) as n_gaps,
        median(purchases.gap_days) as own_gap_days,
        max(purchases.last_purchased_at) as last_purchased_at
    from purchases
    inner join customers
        on purchases.customer_id = customers.customer_id
        and purchases.order_date < customers.as_of
    inner join products on purchases.product_id = products.product_id
    left join repurchases
        on purchases.product_id = repurchases.product_id
        and customers.as_of = repurchases.as_of
    where products.is_consumable or repurchases.product_id is not null
    group by
        customers.customer_id, customers.as_of, purchases.product_id, products.is_consumable,
        repurchases.median_repurchase_days
    {# What is not marked as a consumable is one for who has bought it again himself. #}
    having products.is_consumable or count(purchases.gap_days) > 0

),

expected as (

    {# Each own gap weighs one, the rhythm of all buyers a few; without that, a few own gaps are a rhythm. #}
    select
        *,
        case
            when own_gap_days is null then product_gap_days
            when product_gap_days is null and n_gaps >= {{ var('trigger_replenishment_prior_gaps') }} then own_gap_days
            else (n_gaps * own_gap_days + {{ var('trigger_replenishment_prior_gaps') }} * product_gap_days)
                / (n_gaps + {{ var('trigger_replenishment_prior_gaps') }})
        end as gap_days
    from consumed

),

due as (

    {# The days around it are fewer for what lasts less long. #}
    select
        *,
        {{ fractional_days_after('last_purchased_at', 'gap_days') }} as due_at,
        least(
            {{ var('trigger_replenishment_early_days') }}, gap_days * {{ var('trigger_replenishment_window_share') }}
        ) as early_days,
        least(
            {{ var('trigger_replenishment_late_days') }}, gap_days * {{ var('trigger_replenishment_window_share') }}
        ) as late_days
    from expected
    where gap_days is not null

),

windows as (

    select
        *,
        {{ fractional_days_after('due_at', '-early_days') }} as triggered_at,
        {{ fractional_days_after('due_at', 'late_days') }} as expires_at
    from due

),

in_baskets as (

    select customer_id, as_of, unnest(product_ids) as product_id
    from baskets

),

active as (

    select windows.*
    from windows
    left join in_baskets
        on windows.customer_id = in_baskets.customer_id
        and windows.as_of = in_baskets.as_of
        and windows.product_id = in_baskets.product_id
    where windows.triggered_at <= windows.as_of
        and windows.expires_at > windows.as_of
        and in_baskets.customer_id is null

),

replenished as (

    select
        customer_id,
        as_of,
        max(triggered_at) as triggered_at,
        max(expires_at) as expires_at,
        count(*) as n_products,
        list(product_id order by n_purchases desc, due_at, product_id) as product_ids,
        list(cast(due_at as date) order by n_purchases desc, due_at, product_id) as due_dates
    from active
    group by customer_id, as_of

)

select
    customer_id,
    as_of,
    'replenishment' as trigger_key,
    triggered_at,
    expires_at,
    product_ids[1:{{ var('trigger_max_products') }}] as product_ids,
    {{ json_object([['n_products', 'n_products'], ['due_date', 'cast(due_dates[1] as varchar)']]) }} as context
from replenished
order by as_of, customer_id
