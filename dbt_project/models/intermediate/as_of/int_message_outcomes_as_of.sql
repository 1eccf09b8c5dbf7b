with dates as (

    select * from {{ ref('int_as_of_dates') }}

),

customers as (

    select * from {{ ref('int_customer_as_of') }}

),

messages as (

    select * from {{ ref('fct_messages') }}

),

responses as (

    select * from {{ ref('fct_message_responses') }}

),

attributions as (

    select * from {{ ref('fct_order_attributions') }}

),

answers as (

    select
        responses.message_id,
        dates.as_of,
        min(responses.occurred_at) filter (
            where responses.kind = 'open' and (responses.machine_at is null or responses.machine_at >= dates.as_of)
        ) as first_human_open_at,
        max(responses.occurred_at) filter (
            where responses.kind = 'open' and (responses.machine_at is null or responses.machine_at >= dates.as_of)
        ) as last_human_open_at,
        min(responses.occurred_at) filter (
            where responses.kind = 'click' and (responses.machine_at is null or responses.machine_at >= dates.as_of)
        ) as first_click_at,
        max(responses.occurred_at) filter (
            where responses.kind = 'click' and (responses.machine_at is null or responses.machine_at >= dates.as_of)
        ) as last_click_at,
        bool_or(responses.kind = 'unsubscribe') as is_unsubscribed,
        bool_or(responses.kind = 'complaint') as is_complained
    from responses
    inner join dates on responses.occurred_at < dates.as_of
    where responses.message_id is not null
    group by responses.message_id, dates.as_of

),

orders as (

    select
        attributions.message_id,
        dates.as_of,
        count(*) as n_orders
    from attributions
    inner join dates on attributions.ordered_at < dates.as_of
    group by attributions.message_id, dates.as_of

)

select
    messages.message_id,
    customers.customer_id,
    customers.as_of,
    messages.message_key,
    messages.subject_variant,
    messages.hour_of_week,
    case when customers.has_behaviour then coalesce(cast(orders.n_orders as integer), 0) else 0 end as n_orders,
    customers.has_behaviour,
    coalesce(answers.is_unsubscribed, false) as is_unsubscribed,
    coalesce(answers.is_complained, false) as is_complained,
    messages.sent_at,
    case when customers.has_behaviour then answers.first_human_open_at end as first_human_open_at,
    case when customers.has_behaviour then answers.last_human_open_at end as last_human_open_at,
    case when customers.has_behaviour then answers.first_click_at end as first_click_at,
    case when customers.has_behaviour then answers.last_click_at end as last_click_at
from messages
inner join customers
    on messages.customer_id = customers.customer_id
    and messages.sent_at < customers.as_of
left join answers
    on messages.message_id = answers.message_id
    and customers.as_of = answers.as_of
left join orders
    on messages.message_id = orders.message_id
    and customers.as_of = orders.as_of
