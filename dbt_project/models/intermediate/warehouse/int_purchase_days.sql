{{ config(materialized='view') }}

with purchases as (

    select * from {{ ref('int_product_purchases') }}

)

select
    customer_id,
    product_id,
    order_date,
    n_orders,
    n_units,
    cast(order_date - lag(order_date) over (
        partition by customer_id, product_id order by order_date
    ) as integer) as gap_days,
    last_purchased_at
from purchases
