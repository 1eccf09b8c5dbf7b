with products as (

    select * from {{ ref('stg_products') }}

)

select
    product_id,
    name,
    category,
    subcategory,
    brand,
    currency,
    image_url,
    url,
    price,
    cost,
    case
        when category is not null and price is not null
            then percent_rank() over (partition by category, price is null order by price)
    end as price_position,
    is_in_stock,
    is_consumable,
    is_sensitive,
    released_at
from products
