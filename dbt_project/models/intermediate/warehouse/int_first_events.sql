with events as (

    select * from {{ ref('stg_events') }}

)

select
    customer_id,
    min(occurred_at) as first_event_at
from events
where customer_id is not null
group by customer_id
