with products as (

    select * from {{ source('raw', 'raw_products') }}

)

select
    cast(product_id as varchar) as product_id,
    cast(price as double) as price,
    cast(cost as double) as cost,
    coalesce(cast(in_stock as boolean), true) as is_in_stock,
    updated_at is not null as is_dated,
    coalesce(cast(updated_at as timestamp), timestamp '1900-01-01 00:00:00') as valid_from
from products
