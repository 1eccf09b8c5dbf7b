with events as (

    select * from {{ ref('stg_events') }}

),

identities as (

    select * from {{ ref('int_identities') }}

),

customers as (

    select * from {{ ref('stg_customers') }}

),

visits as (

    select
        *,
        coalesce(anonymous_id, customer_id) as visitor_id
    from events
    where event in (
        'Page Viewed', 'Product Viewed', 'Products Searched', 'Content Viewed',
        'Product Added', 'Product Removed', 'Checkout Started'
    )

),

gaps as (

    select
        *,
        coalesce(
            occurred_at > {{ dbt.dateadd(
                'minute', var('session_gap_minutes'),
                'lag(occurred_at) over (partition by visitor_id order by occurred_at, event_id)'
            ) }},
            true
        ) as is_session_start
    from visits
    where visitor_id is not null

),

numbered as (

    select
        *,
        sum(case when is_session_start then 1 else 0 end) over (
            partition by visitor_id order by occurred_at, event_id
            rows between unbounded preceding and current row
        ) as session_number
    from gaps

)

select
    numbered.event_id,
    numbered.visitor_id || '#' || cast(numbered.session_number as varchar) as session_id,
    coalesce(numbered.customer_id, identities.customer_id) as customer_id,
    numbered.event,
    numbered.product_id,
    numbered.content_id,
    numbered.query,
    numbered.device,
    coalesce(numbered.quantity, 1) as quantity,
    numbered.is_session_start,
    {{ hour_of_week(local_time('numbered.occurred_at', 'customers.timezone')) }} as hour_of_week,
    numbered.occurred_at,
    case
        when numbered.customer_id is not null then numbered.occurred_at
        else greatest(numbered.occurred_at, identities.identified_at)
    end as known_at
from numbered
left join identities on numbered.anonymous_id = identities.anonymous_id
left join customers on coalesce(numbered.customer_id, identities.customer_id) = customers.customer_id
