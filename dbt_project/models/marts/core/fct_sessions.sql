{{ config(materialized='view') }}

with sessions as (

    select * from {{ ref('int_sessions') }}

),

identities as (

    select * from {{ ref('dim_identities') }}

)

select
    sessions.session_id,
    sessions.visitor_id,
    coalesce(sessions.customer_id, identities.customer_id) as customer_id,
    sessions.device,
    sessions.n_events,
    sessions.n_pages,
    sessions.n_product_views,
    sessions.n_searches,
    sessions.n_content_views,
    sessions.n_carts,
    sessions.n_checkouts,
    sessions.n_products,
    sessions.session_date,
    sessions.started_at,
    sessions.ended_at,
    case
        when sessions.customer_id is not null then sessions.identified_at
        when identities.customer_id is not null then greatest(sessions.started_at, identities.linked_at)
    end as known_at
from sessions
left join identities
    on case when sessions.customer_id is null then sessions.unknown_id end = identities.anonymous_id
    and sessions.started_at >= identities.valid_from
    and sessions.started_at < identities.valid_to
