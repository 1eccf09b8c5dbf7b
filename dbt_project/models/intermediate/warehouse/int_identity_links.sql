{{ config(materialized='incremental', incremental_strategy='by_day') }}

{#-
  Per day, each moment at which a browser or app is seen with another customer than before on that day. A click in a mail may
  be another person's (`dim_identities` judges it), so that whoever is seen after one is told again.
-#}
-- depends_on: {{ ref('int_changed_days') }}
with events as (

    select * from {{ ref('stg_events') }}
    where anonymous_id is not null and event <> 'Email Opened' and (customer_id is not null or event = 'Email Link Clicked')
        and {{ in_changed_days('event_date') }}

),

seen as (

    select
        *,
        lag(case when event <> 'Email Link Clicked' then customer_id end) over (partition by anonymous_id, event_date order by occurred_at, event_id) as customer_before
    from events

)

select
    event_id,
    anonymous_id,
    customer_id,
    case when event in ('Order Completed', 'Checkout Started') then 'order' else 'log_in' end as source,
    event_date,
    occurred_at as linked_at
from seen
where event <> 'Email Link Clicked' and customer_before is distinct from customer_id
