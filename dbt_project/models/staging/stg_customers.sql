with customers as (

    select * from {{ source('raw', 'raw_customers') }}

)

select
    cast(customer_id as varchar) as customer_id,
    {# Whoever reads the same mailbox: the address itself goes no further than this line. #}
    case
        when trim(cast(email as varchar)) <> '' then min(cast(customer_id as varchar)) over (
            partition by lower(trim(cast(email as varchar)))
        )
        else cast(customer_id as varchar)
    end as person_id,
    cast(locale as varchar) as locale,
    {{ known_timezone('cast(timezone as varchar)') }} as timezone,
    cast(country as varchar) as country,
    cast(region as varchar) as region,
    cast(city as varchar) as city,
    cast(signup_source as varchar) as signup_source,
    cast(industry as varchar) as industry,
    cast(job_role as varchar) as job_role,
    cast(company_size as varchar) as company_size,
    coalesce(trim(cast(email as varchar)) <> '', false) as has_email,
    cast(birth_date as date) as birth_date,
    cast(signed_up_at as timestamp) as signed_up_at
from customers
