with dates as (

    select * from {{ ref('int_as_of_dates') }}

),

products as (

    select * from {{ ref('dim_products') }}

),

product_days as (

    select * from {{ ref('int_product_days') }}

),

purchases as (

    select * from {{ ref('int_purchase_days') }}

),

site_events as (

    select * from {{ ref('fct_site_events') }}

),

repurchases as (

    select * from {{ ref('int_product_repurchase_as_of') }}

),

sales as (

    select
        product_days.product_id,
        dates.as_of,
        sum(product_days.n_units) filter (
            where product_days.order_date >= {{ days_before('dates.as_of', 30) }}
        ) as units_30d,
        sum(product_days.n_units) filter (
            where product_days.order_date >= {{ days_before('dates.as_of', 90) }}
        ) as units_90d,
        arg_max(product_days.last_price, product_days.order_date) as last_price
    from product_days
    inner join dates on product_days.order_date < dates.as_of
    group by product_days.product_id, dates.as_of

),

buyers as (

    select
        purchases.product_id,
        dates.as_of,
        count(distinct purchases.customer_id) filter (
            where purchases.order_date >= {{ days_before('dates.as_of', 30) }}
        ) as buyers_30d,
        count(distinct purchases.customer_id) as buyers_90d
    from purchases
    inner join dates
        on purchases.order_date < dates.as_of
        and purchases.order_date >= {{ days_before('dates.as_of', 90) }}
    group by purchases.product_id, dates.as_of

),

views as (

    select
        site_events.product_id,
        dates.as_of,
        count(*) as views_30d
    from site_events
    inner join dates
        on site_events.occurred_at < dates.as_of
        and site_events.occurred_at >= {{ days_before('dates.as_of', 30) }}
    where site_events.event = 'Product Viewed' and site_events.product_id is not null
    group by site_events.product_id, dates.as_of

),

priced as (

    select
        products.*,
        dates.as_of,
        coalesce(sales.last_price, products.price) as current_price,
        sales.units_30d,
        sales.units_90d
    from products
    cross join dates
    left join sales on products.product_id = sales.product_id and dates.as_of = sales.as_of

)

select
    priced.product_id,
    priced.as_of,
    priced.name,
    priced.category,
    priced.subcategory,
    priced.brand,
    priced.current_price as price,
    {{ margin('priced.current_price', '1', 'priced.cost') }} as unit_margin,
    priced.is_in_stock and coalesce(priced.released_at < priced.as_of, true) as is_available,
    priced.is_sensitive,
    priced.is_consumable,
    cast(coalesce(priced.units_30d, 0) as integer) as units_30d,
    cast(coalesce(priced.units_90d, 0) as integer) as units_90d,
    cast(coalesce(buyers.buyers_30d, 0) as integer) as buyers_30d,
    cast(coalesce(buyers.buyers_90d, 0) as integer) as buyers_90d,
    cast(coalesce(views.views_30d, 0) as integer) as views_30d,
    repurchases.median_repurchase_days,
    priced.released_at,
    priced.image_url,
    priced.url
from priced
left join buyers on priced.product_id = buyers.product_id and priced.as_of = buyers.as_of
left join views on priced.product_id = views.product_id and priced.as_of = views.as_of
left join repurchases on priced.product_id = repurchases.product_id and priced.as_of = repurchases.as_of
order by priced.as_of, priced.product_id
