{{ config(tags=['warehouse']) }}

-- Every event of these kinds becomes one row of its fact.
with events as (

    select
        case
            when event = 'Order Completed' then 'fct_order_lines'
            when event = 'Order Refunded' then 'fct_refund_lines'
            when event in ('Support Contacted', 'Review Submitted') then 'fct_service_events'
            else 'fct_message_responses'
        end as fact,
        count(*) as n_events
    from {{ ref('stg_events') }}
    where event in (
        'Order Completed', 'Order Refunded', 'Support Contacted', 'Review Submitted', 'Email Opened',
        'Email Link Clicked', 'Email Bounced', 'Email Marked as Spam', 'Unsubscribed'
    )
    group by fact

),

facts as (

    {% for fact in ['fct_order_lines', 'fct_refund_lines', 'fct_service_events', 'fct_message_responses'] %}
    select '{{ fact }}' as fact, count(*) as n_rows from {{ ref(fact) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}

)

select
    facts.fact,
    facts.n_rows,
    coalesce(events.n_events, 0) as n_events
from facts
left join events on facts.fact = events.fact
where facts.n_rows <> coalesce(events.n_events, 0)
