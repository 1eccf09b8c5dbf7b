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
        'send' as kind,
        first_human_open_at <= {{ days_after('sent_at', 1) }} as is_opened_24h,
        first_click_at <= {{ days_after('sent_at', 1) }} as is_clicked_24h
    from outcomes
    where sent_at < {{ days_before('as_of', 1) }}
        and sent_at >= {{ days_before('as_of', var('send_hours_days')) }}

),

opens as (

    select
        customers.customer_id,
        customers.as_of,
        {{ hour_of_week(local_time('responses.occurred_at', 'customers.timezone')) }} as hour_of_week,
        'open' as kind,
        false as is_opened_24h,
        false as is_clicked_24h
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
        'visit' as kind,
        false as is_opened_24h,
        false as is_clicked_24h
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
    cast(count(*) filter (where kind = 'send') as integer) as n_sent,
    cast(count(*) filter (where is_opened_24h) as integer) as n_opened_24h,
    cast(count(*) filter (where is_clicked_24h) as integer) as n_clicked_24h,
    cast(count(*) filter (where kind = 'open') as integer) as n_opens,
    cast(count(*) filter (where kind = 'visit') as integer) as n_visits
from combined
group by customer_id, hour_of_week, as_of
order by as_of, customer_id, hour_of_week
