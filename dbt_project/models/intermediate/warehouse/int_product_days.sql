with order_lines as (

    select * from {{ ref('fct_order_lines') }}

),

ranked as (

    select
        product_id,
        order_date,
        quantity,
        price,
        row_number() over (partition by product_id, order_date order by occurred_at desc, line_id desc) as nth_from_last
    from order_lines
    where product_id is not null and price > 0

)

select
    product_id,
    order_date,
    cast(sum(quantity) as integer) as n_units,
    max(price) filter (where nth_from_last = 1) as last_price
from ranked
group by product_id, order_date
