with products as (

    select * from {{ source('raw', 'raw_products') }}

)

select
    cast(product_id as varchar) as product_id,
    cast(name as varchar) as name,
    cast(category as varchar) as category,
    cast(subcategory as varchar) as subcategory,
    cast(brand as varchar) as brand,
    cast(currency as varchar) as currency,
    cast(image_url as varchar) as image_url,
    cast(url as varchar) as url,
    cast(price as double) as price,
    cast(cost as double) as cost,
    coalesce(cast(in_stock as boolean), true) as is_in_stock,
    coalesce(cast(is_consumable as boolean), false) as is_consumable,
    coalesce(cast(is_sensitive as boolean), false) as is_sensitive,
    cast(released_at as timestamp) as released_at
from products
qualify row_number() over (partition by product_id order by updated_at desc nulls last) = 1
