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

products_as_of as (

    select * from {{ ref('int_product_as_of') }}

),

bought as (

    select
        customers.customer_id,
        customers.as_of,
        products.category,
        products.brand,
        coalesce(products.is_sensitive, false) as is_sensitive,
        sum(purchases.n_orders) as n_orders,
        sum(purchases.n_units) as n_units,
        {{ stable_sum('products_as_of.price_position * purchases.n_orders') }} as sum_price_position,
        sum(purchases.n_orders) filter (where products_as_of.price_position is not null) as n_positions
    from purchases
    inner join customers
        on purchases.customer_id = customers.customer_id
        and purchases.order_date < customers.as_of
    inner join products on purchases.product_id = products.product_id
    inner join products_as_of
        on purchases.product_id = products_as_of.product_id
        and customers.as_of = products_as_of.as_of
    group by customers.customer_id, customers.as_of, products.category, products.brand, products.is_sensitive

),

categories as (

    select
        customer_id,
        as_of,
        category,
        row_number() over (
            partition by customer_id, as_of order by sum(n_orders) desc, sum(n_units) desc, category
        ) as nth
    from bought
    where category is not null and not is_sensitive
    group by customer_id, as_of, category

),

brands as (

    select
        customer_id,
        as_of,
        brand,
        row_number() over (
            partition by customer_id, as_of order by sum(n_orders) desc, sum(n_units) desc, brand
        ) as nth
    from bought
    where brand is not null and not is_sensitive
    group by customer_id, as_of, brand

),

totals as (

    select
        customer_id,
        as_of,
        cast(count(distinct category) as integer) as n_categories,
        {{ stable_sum('sum_price_position') }} / nullif(sum(n_positions), 0) as price_position
    from bought
    group by customer_id, as_of

)

select
    totals.customer_id,
    totals.as_of,
    categories.category as top_category,
    brands.brand as top_brand,
    totals.n_categories,
    totals.price_position
from totals
left join categories
    on totals.customer_id = categories.customer_id
    and totals.as_of = categories.as_of
    and categories.nth = 1
left join brands
    on totals.customer_id = brands.customer_id
    and totals.as_of = brands.as_of
    and brands.nth = 1
