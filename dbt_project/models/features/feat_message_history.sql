with outcomes as (

    select * from {{ ref('int_message_outcomes_as_of') }}

),

attributions as (

    select * from {{ ref('fct_order_attributions') }}

),

sends as (

    select
        customer_id,
        message_key,
        as_of,
        {# Without their answers, mails to those who refuse profiling say nothing of how people answer. #}
        count(*) filter (where has_behaviour) as n_sent,
        count(first_human_open_at) as n_human_opens,
        count(first_click_at) as n_clicks,
        count(*) filter (where is_unsubscribed) as n_unsubscribes,
        count(*) filter (where is_complained) as n_complaints,
        count(*) filter (where sent_at >= {{ days_before('as_of', 1) }}) as n_sent_1d,
        count(*) filter (where sent_at >= {{ days_before('as_of', 7) }}) as n_sent_7d,
        max(sent_at) as last_sent_at
    from outcomes
    group by customer_id, message_key, as_of

),

orders as (

    select
        outcomes.customer_id,
        outcomes.message_key,
        outcomes.as_of,
        count(*) as n_orders,
        count(*) filter (where attributions.touch_kind = 'click') as n_click_orders
    from outcomes
    inner join attributions
        on outcomes.message_id = attributions.message_id
        and attributions.ordered_at < outcomes.as_of
    where outcomes.has_behaviour
    group by outcomes.customer_id, outcomes.message_key, outcomes.as_of

)

select
    sends.customer_id,
    sends.message_key,
    sends.as_of,
    cast(sends.n_sent as integer) as n_sent,
    cast(sends.n_human_opens as integer) as n_human_opens,
    cast(sends.n_clicks as integer) as n_clicks,
    cast(coalesce(orders.n_orders, 0) as integer) as n_orders,
    cast(coalesce(orders.n_click_orders, 0) as integer) as n_click_orders,
    cast(sends.n_unsubscribes as integer) as n_unsubscribes,
    cast(sends.n_complaints as integer) as n_complaints,
    cast(sends.n_sent_1d as integer) as n_sent_1d,
    cast(sends.n_sent_7d as integer) as n_sent_7d,
    sends.last_sent_at
from sends
left join orders
    on sends.customer_id = orders.customer_id
    and sends.message_key = orders.message_key
    and sends.as_of = orders.as_of
order by sends.as_of, sends.customer_id, sends.message_key
