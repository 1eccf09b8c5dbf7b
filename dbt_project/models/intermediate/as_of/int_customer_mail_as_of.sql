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
    where kind in ('open', 'click') and not is_machine

),

sends as (

    select
        customer_id,
        as_of,
        count(*) filter (where sent_at >= {{ days_before('as_of', 30) }}) as n_emails_30d,
        count(*) as n_emails_90d,
        count(first_human_open_at) as n_human_opens_90d,
        count(first_click_at) as n_clicks_90d
    from outcomes
    where sent_at >= {{ days_before('as_of', 90) }}
    group by customer_id, as_of

),

latest as (

    select
        customers.customer_id,
        customers.as_of,
        max(responses.occurred_at) filter (where responses.kind = 'open') as last_human_open_at,
        max(responses.occurred_at) filter (where responses.kind = 'click') as last_click_at
    from responses
    inner join customers
        on responses.customer_id = customers.customer_id
        and responses.known_at < customers.as_of
    where responses.message_id is not null
    group by customers.customer_id, customers.as_of

)

select
    coalesce(sends.customer_id, latest.customer_id) as customer_id,
    coalesce(sends.as_of, latest.as_of) as as_of,
    cast(coalesce(sends.n_emails_30d, 0) as integer) as n_emails_30d,
    cast(coalesce(sends.n_emails_90d, 0) as integer) as n_emails_90d,
    cast(coalesce(sends.n_human_opens_90d, 0) as integer) as n_human_opens_90d,
    cast(coalesce(sends.n_clicks_90d, 0) as integer) as n_clicks_90d,
    latest.last_human_open_at,
    latest.last_click_at
from sends
full outer join latest
    on sends.customer_id = latest.customer_id
    and sends.as_of = latest.as_of
