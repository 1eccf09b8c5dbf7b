with order_lines as (

    select * from {{ ref('fct_order_lines') }}

),

days as (

    select
        customer_id,
        product_id,
        order_date,
        count(distinct order_id) as n_orders,
        sum(quantity) as n_units,
        max(occurred_at) as last_purchased_at
    from order_lines
    where customer_id is not null and product_id is not null
    group by customer_id, product_id, order_date

)

select
    customer_id,
    product_id,
    order_date,
    cast(n_orders as integer) as n_orders,
    cast(n_units as integer) as n_units,
    cast(order_date - lag(order_date) over (
        partition by customer_id, product_id order by order_date
    ) as integer) as gap_days,
    last_purchased_at
from days
