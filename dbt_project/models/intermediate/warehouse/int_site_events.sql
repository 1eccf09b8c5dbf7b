{{ config(materialized='incremental', incremental_strategy='by_day', meta={'days_after': 2}) }}

{#-
  A session begins after a pause. It may last over one midnight, so that it depends on two days before it at most; a stay
  without a pause over a second midnight is a machine's, and is cut there.
-#}
-- depends_on: {{ ref('int_changed_days') }}
with events as (

    select * from {{ ref('stg_events') }}
    where event in (
            'Page Viewed', 'Product Viewed', 'Products Searched', 'Content Viewed',
            'Product Added', 'Product Removed', 'Checkout Started'
        )
        and coalesce(anonymous_id, customer_id) is not null
        and {{ in_changed_days('event_date', before=2, after=2) }}

),

gaps as (

    select
        *,
        coalesce(anonymous_id, customer_id) as visitor_id,
        coalesce(
            occurred_at > {{ dbt.dateadd(
                'minute', var('session_gap_minutes'),
                'lag(occurred_at) over (partition by coalesce(anonymous_id, customer_id) order by occurred_at, event_id)'
            ) }},
            true
        ) as is_after_pause
    from events

),

stays as (

    select
        *,
        max(case when is_after_pause then occurred_at end) over (
            partition by visitor_id order by occurred_at, event_id
            rows between unbounded preceding and current row
        ) as stay_began_at
    from gaps

),

cuts as (

    select
        visitor_id,
        event_date,
        min(occurred_at) as cut_at,
        arg_min(event_id, (occurred_at, event_id)) as event_id
    from stays
    where event_date - cast(stay_began_at as date) > 1
    group by visitor_id, event_date

)

select
    stays.event_id,
    stays.visitor_id,
    stays.visitor_id || '@' || strftime(coalesce(cuts.cut_at, stays.stay_began_at), '%Y-%m-%dT%H:%M:%S.%f') as session_id,
    stays.customer_id,
    case when stays.customer_id is null then stays.anonymous_id end as unknown_id,
    stays.event,
    stays.product_id,
    stays.content_id,
    stays.query,
    stays.device,
    coalesce(stays.quantity, 1) as quantity,
    stays.price,
    stays.is_after_pause or coalesce(cuts.event_id = stays.event_id, false) as is_session_start,
    stays.event_date,
    coalesce(cuts.cut_at, stays.stay_began_at) as session_started_at,
    stays.occurred_at
from stays
left join cuts
    on stays.visitor_id = cuts.visitor_id
    and stays.event_date = cuts.event_date
    and stays.event_date - cast(stays.stay_began_at as date) > 1
where {{ in_changed_days('stays.event_date', after=2) }}
