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

known as (

    select
        customers.customer_id,
        purchases.product_id,
        customers.as_of,
        purchases.gap_days,
        purchases.order_date,
        purchases.last_purchased_at
    from purchases
    inner join customers
        on purchases.customer_id = customers.customer_id
        and purchases.order_date < customers.as_of

),

counted as (

    select
        customer_id,
        product_id,
        as_of,
        cast(count(gap_days) as integer) as n_gaps,
        {{ stable_sum('ln(gap_days)') }} as sum_log_gap_days,
        {{ stable_sum('ln(gap_days) * ln(gap_days)') }} as sum_squared_log_gap_days,
        cast(arg_max(gap_days, order_date) as integer) as last_gap_days,
        max(last_purchased_at) as last_purchased_at
    from known
    group by customer_id, product_id, as_of

)

select
    counted.customer_id,
    counted.product_id,
    counted.as_of,
    counted.n_gaps,
    coalesce(counted.sum_log_gap_days, 0) as sum_log_gap_days,
    coalesce(counted.sum_squared_log_gap_days, 0) as sum_squared_log_gap_days,
    counted.last_gap_days,
    counted.last_purchased_at,
    repurchases.median_repurchase_days,
    coalesce(products.is_consumable, false) as is_consumable
from counted
inner join products on counted.product_id = products.product_id
left join repurchases on counted.product_id = repurchases.product_id and counted.as_of = repurchases.as_of
{# Who has bought a thing once says nothing of its rhythm unless it is used up. #}
where (counted.n_gaps > 0 or products.is_consumable) and not coalesce(products.is_sensitive, false)
order by counted.as_of, counted.customer_id, counted.product_id
