with events as (

    select * from {{ ref('stg_events') }}

),

identified as (

    select
        anonymous_id,
        customer_id,
        occurred_at,
        row_number() over (partition by anonymous_id order by occurred_at, event_id) as nth
    from events
    where anonymous_id is not null and customer_id is not null

)

select
    anonymous_id,
    customer_id,
    occurred_at as identified_at
from identified
where nth = 1
