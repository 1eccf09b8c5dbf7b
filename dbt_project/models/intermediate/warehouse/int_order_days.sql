{{ config(materialized='view') }}

with order_lines as (

    select * from {{ ref('int_order_lines') }}

),

days as (

    select distinct customer_id, order_date
    from order_lines
    where customer_id is not null

)

select
    customer_id,
    order_date,
    cast(order_date - lag(order_date) over (partition by customer_id order by order_date) as integer) as gap_days
from days
