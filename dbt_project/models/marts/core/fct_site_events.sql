{{ config(materialized='view') }}

with site_events as (

    select * from {{ ref('int_site_events') }}

),

identities as (

    select * from {{ ref('dim_identities') }}

)

select
    site_events.event_id,
    site_events.session_id,
    site_events.visitor_id,
    coalesce(site_events.customer_id, identities.customer_id) as customer_id,
    site_events.event,
    site_events.product_id,
    site_events.content_id,
    site_events.query,
    site_events.device,
    site_events.quantity,
    site_events.price,
    site_events.is_session_start,
    site_events.event_date,
    site_events.occurred_at,
    case
        when site_events.customer_id is not null then site_events.occurred_at
        when identities.customer_id is not null then greatest(site_events.occurred_at, identities.linked_at)
    end as known_at
from site_events
left join identities
    on site_events.unknown_id = identities.anonymous_id
    and site_events.occurred_at >= identities.valid_from
    and site_events.occurred_at < identities.valid_to
