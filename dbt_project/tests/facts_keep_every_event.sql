{{ config(tags=["warehouse"], meta={"dagster": {"ref": {"name": "stg_events"}}}) }}

-- Between the layers nothing is lost or doubled: every event of a day becomes one row of its fact on that day.
{%- set facts = [
    ('fct_order_lines', 'order_date'),
    ('fct_refund_lines', 'event_date'),
    ('fct_service_events', 'event_date'),
    ('int_email_events', 'event_date'),
    ('fct_message_responses', 'event_date'),
    ('int_site_events', 'event_date'),
    ('fct_site_events', 'event_date'),
] %}

with events as (

    select
        event_date,
        count(*) filter (where event = 'Order Completed') as fct_order_lines,
        count(*) filter (where event = 'Order Refunded') as fct_refund_lines,
        count(*) filter (where event in ('Support Contacted', 'Review Submitted')) as fct_service_events,
        count(*) filter (where event like 'Email%' or event in ('Subscribed', 'Unsubscribed')) as int_email_events,
        count(*) filter (where event in (
            'Email Opened', 'Email Link Clicked', 'Email Bounced', 'Email Marked as Spam', 'Unsubscribed'
        )) as fct_message_responses,
        count(*) filter (where event in (
            'Page Viewed', 'Product Viewed', 'Products Searched', 'Content Viewed',
            'Product Added', 'Product Removed', 'Checkout Started'
        ) and coalesce(anonymous_id, customer_id) is not null) as int_site_events,
        int_site_events as fct_site_events
    from {{ ref('stg_events') }}
    where {{ of_this_run('event_date') }}
    group by event_date

),

facts as (

    {% for fact, day in facts -%}
    select '{{ fact }}' as fact, {{ day }} as event_date, count(*) as n_rows
    from {{ ref(fact) }}
    where {{ of_this_run(day) }}
    group by {{ day }}
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

expected as (

    {% for fact, _ in facts -%}
    select '{{ fact }}' as fact, event_date, {{ fact }} as n_events from events
    {{ 'union all' if not loop.last }}
    {% endfor %}

)

select
    expected.fact,
    expected.event_date,
    expected.n_events,
    coalesce(facts.n_rows, 0) as n_rows
from expected
left join facts on expected.fact = facts.fact and expected.event_date = facts.event_date
where expected.n_events <> coalesce(facts.n_rows, 0)
