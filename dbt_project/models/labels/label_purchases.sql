with customers as (

    select * from {{ ref('int_customer_as_of') }}
    where has_behaviour
        and {{ days_after('as_of', var('label_purchase_days')) }} <= cast('{{ var("labels_until") }}' as date)

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
    and purchases.order_date >= customers.as_of
    and purchases.order_date < {{ days_after('customers.as_of', var('label_purchase_days')) }}
group by customers.customer_id, purchases.product_id, customers.as_of
order by customers.as_of, customers.customer_id, purchases.product_id
