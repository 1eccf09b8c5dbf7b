with customers as (

    select * from {{ ref('int_customer_as_of') }}
    where has_behaviour

),

outcomes as (

    select * from {{ ref('int_message_outcomes_as_of') }}
    where has_behaviour

),

responses as (

    select * from {{ ref('fct_message_responses') }}
    where kind = 'open' and not is_machine

),

site_events as (

    select * from {{ ref('fct_site_events') }}
    where is_session_start

),

sends as (

    select
        customer_id,
        as_of,
        hour_of_week,
        1 as n_sent,
        cast(coalesce(first_human_open_at <= {{ days_after('sent_at', 1) }}, false) as integer) as n_opened_24h,
        cast(coalesce(first_click_at <= {{ days_after('sent_at', 1) }}, false) as integer) as n_clicked_24h,
        0 as n_opens,
        0 as n_visits
    from outcomes
    where sent_at < {{ days_before('as_of', 1) }}
        and sent_at >= {{ days_before('as_of', var('send_hours_days')) }}

),

opens as (

    select
        customers.customer_id,
        customers.as_of,
        {{ hour_of_week(local_time('responses.occurred_at', 'customers.timezone')) }} as hour_of_week,
        0 as n_sent,
        0 as n_opened_24h,
        0 as n_clicked_24h,
        1 as n_opens,
        0 as n_visits
    from responses
    inner join customers
        on responses.customer_id = customers.customer_id
        and responses.occurred_at < customers.as_of
        and responses.occurred_at >= {{ days_before('customers.as_of', var('send_hours_days')) }}

),

visits as (

    select
        customers.customer_id,
        customers.as_of,
        {{ hour_of_week(local_time('site_events.occurred_at', 'customers.timezone')) }} as hour_of_week,
        0 as n_sent,
        0 as n_opened_24h,
        0 as n_clicked_24h,
        0 as n_opens,
        1 as n_visits
    from site_events
    inner join customers
        on site_events.customer_id = customers.customer_id
        and site_events.known_at < customers.as_of
        and site_events.occurred_at >= {{ days_before('customers.as_of', var('send_hours_days')) }}

),

combined as (

    select * from sends
    union all
    select * from opens
    union all
    select * from visits

)

select
    customer_id,
    hour_of_week,
    as_of,
    cast(sum(n_sent) as integer) as n_sent,
    cast(sum(n_opened_24h) as integer) as n_opened_24h,
    cast(sum(n_clicked_24h) as integer) as n_clicked_24h,
    cast(sum(n_opens) as integer) as n_opens,
    cast(sum(n_visits) as integer) as n_visits
from combined
group by customer_id, hour_of_week, as_of
order by as_of, customer_id, hour_of_week
