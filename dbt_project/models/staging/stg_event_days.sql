with event_days as (

    select * from {{ source('raw', 'raw_event_days') }}

)

select
    cast(day as date) as event_date,
    cast(version as varchar) as version,
    cast(n_events as bigint) as n_events
from event_days
