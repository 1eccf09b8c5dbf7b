with customers as (

    select * from {{ ref('int_customer_as_of') }}
    where has_behaviour
        and {{ label_window_is_over(var('label_category_days')) }}

),

purchases as (

    select * from {{ ref('int_purchase_days') }}

),

products as (

    select * from {{ ref('dim_products') }}
    where category is not null

)

select
    customers.customer_id,
    products.category,
    products.subcategory,
    customers.as_of,
    cast(count(distinct purchases.order_date) as integer) as n_order_days
from purchases
inner join customers
    on purchases.customer_id = customers.customer_id
    and {{ in_label_window('purchases.order_date', var('label_category_days')) }}
inner join products on purchases.product_id = products.product_id
group by customers.customer_id, products.category, products.subcategory, customers.as_of
order by customers.as_of, customers.customer_id, products.category, products.subcategory nulls first
