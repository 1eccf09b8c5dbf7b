with consents as (

    select * from {{ source('raw', 'raw_consents') }}

)

select distinct
    cast(customer_id as varchar) as customer_id,
    cast(purpose as varchar) as purpose,
    cast(granted as boolean) as is_granted,
    cast(occurred_at as timestamp) as occurred_at
from consents
