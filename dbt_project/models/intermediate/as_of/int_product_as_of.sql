with dates as (

    select * from {{ ref('int_as_of_dates') }}

),

products as (

    select * from {{ ref('dim_products') }}

),

versions as (

    select * from {{ ref('dim_product_versions') }}

),

product_days as (

    select * from {{ ref('int_product_days') }}

),

known as (

    select
        dates.as_of,
        versions.*
    from versions
    inner join dates
        on versions.valid_from < dates.as_of
        and (versions.valid_to is null or versions.valid_to >= dates.as_of)

),

oldest as (

    select versions.*
    from versions
    inner join products on versions.product_id = products.product_id
    where products.released_at is null
    qualify row_number() over (partition by versions.product_id order by versions.valid_from) = 1

),

sold as (

    select
        product_days.product_id,
        dates.as_of,
        arg_max(product_days.last_price, product_days.order_date) as last_price
    from product_days
    inner join dates on product_days.order_date < dates.as_of
    group by product_days.product_id, dates.as_of

),

valued as (

    select
        products.product_id,
        dates.as_of,
        products.category,
        coalesce(products.released_at < dates.as_of, true) as is_released,
        case
            when known.is_dated then coalesce(known.price, sold.last_price)
            else coalesce(sold.last_price, known.price, oldest.price)
        end as price,
        known.previous_price,
        coalesce(known.cost, oldest.cost) as cost,
        coalesce(known.is_in_stock, oldest.is_in_stock, true) as is_in_stock,
        known.price_changed_at,
        known.stock_changed_at,
        known.previous_stock_changed_at
    from products
    cross join dates
    left join known on products.product_id = known.product_id and dates.as_of = known.as_of
    left join oldest on products.product_id = oldest.product_id and known.product_id is null
    left join sold on products.product_id = sold.product_id and dates.as_of = sold.as_of

)

select
    product_id,
    as_of,
    price,
    previous_price,
    cost,
    case
        when category is not null and price is not null and is_released
            then percent_rank() over (partition by as_of, category, price is null, is_released order by price)
    end as price_position,
    is_in_stock and is_released as is_available,
    price_changed_at,
    stock_changed_at,
    previous_stock_changed_at
from valued
