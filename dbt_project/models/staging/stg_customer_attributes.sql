with customers as (

    select * from {{ source('raw', 'raw_customers') }}

)

select
    cast(customer_id as varchar) as customer_id,
    nullif(lower(trim(cast(gender as varchar))), '') as gender,
    cast(birth_date as date) as birth_date
from customers
