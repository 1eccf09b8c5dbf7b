with dates as (

    select * from {{ ref('int_as_of_dates') }}

),

products as (

    select * from {{ ref('dim_products') }}

),

products_as_of as (

    select * from {{ ref('int_product_as_of') }}

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
        ) as units_90d
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

season as (

    select
        purchases.product_id,
        dates.as_of,
        count(distinct purchases.customer_id) as season_buyers
    from purchases
    inner join dates
        on purchases.order_date >= {{ days_before('dates.as_of', 365) }}
        and purchases.order_date < {{ days_before('dates.as_of', 335) }}
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

)

select
    products_as_of.product_id,
    products_as_of.as_of,
    products.name,
    products.category,
    products.subcategory,
    products.brand,
    products_as_of.price,
    {{ margin('products_as_of.price', '1', 'products_as_of.cost') }} as unit_margin,
    products_as_of.is_available,
    products.is_sensitive,
    products.is_consumable,
    cast(coalesce(sales.units_30d, 0) as integer) as units_30d,
    cast(coalesce(sales.units_90d, 0) as integer) as units_90d,
    cast(coalesce(buyers.buyers_30d, 0) as integer) as buyers_30d,
    cast(coalesce(buyers.buyers_90d, 0) as integer) as buyers_90d,
    cast(coalesce(season.season_buyers, 0) as integer) as season_buyers,
    cast(coalesce(views.views_30d, 0) as integer) as views_30d,
    repurchases.median_repurchase_days,
    products.released_at,
    products.image_url,
    products.url
from products_as_of
inner join products on products_as_of.product_id = products.product_id
left join sales on products_as_of.product_id = sales.product_id and products_as_of.as_of = sales.as_of
left join buyers on products_as_of.product_id = buyers.product_id and products_as_of.as_of = buyers.as_of
left join season on products_as_of.product_id = season.product_id and products_as_of.as_of = season.as_of
left join views on products_as_of.product_id = views.product_id and products_as_of.as_of = views.as_of
left join repurchases
    on products_as_of.product_id = repurchases.product_id
    and products_as_of.as_of = repurchases.as_of
order by products_as_of.as_of, products_as_of.product_id
