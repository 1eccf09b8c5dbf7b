with customers as (

    select * from {{ ref('int_customer_as_of') }}
    where has_behaviour
        and {{ label_window_is_over(var('label_purchase_days')) }}

),

purchases as (

    select * from {{ ref('int_purchase_days') }}

)

select
    customers.customer_id,
    purchases.product_id,
    customers.as_of,
    cast(sum(purchases.n_orders) as integer) as n_purchases
from purchases
inner join customers
    on purchases.customer_id = customers.customer_id
    and {{ in_label_window('purchases.order_date', var('label_purchase_days')) }}
group by customers.customer_id, purchases.product_id, customers.as_of
order by customers.as_of, customers.customer_id, purchases.product_id
