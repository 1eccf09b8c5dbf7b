{{ config(materialized='incremental', incremental_strategy='by_day') }}

-- depends_on: {{ ref('int_changed_days') }}
with events as (

    select * from {{ ref('stg_events') }}
    where customer_id is not null and {{ in_changed_days('event_date') }}

)

select
    customer_id,
    event_date,
    cast(count(*) as integer) as n_events,
    min(occurred_at) as first_event_at,
    max(occurred_at) as last_event_at
from events
group by customer_id, event_date
