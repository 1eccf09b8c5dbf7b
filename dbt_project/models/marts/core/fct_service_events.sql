with events as (

    select * from {{ ref('stg_events') }}

)

select
    event_id,
    customer_id,
    product_id,
    case event when 'Support Contacted' then 'support' else 'review' end as kind,
    try_cast({{ json_text('properties', 'rating') }} as double) as rating,
    occurred_at
from events
where event in ('Support Contacted', 'Review Submitted')
