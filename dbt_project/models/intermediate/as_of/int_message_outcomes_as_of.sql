{{ config(materialized='view') }}

with customers as (

    select * from {{ ref('int_customer_as_of') }}

),

messages as (

    select * from {{ ref('int_message_outcomes') }}

)

select
    messages.message_id,
    customers.customer_id,
    customers.as_of,
    messages.message_key,
    messages.subject_variant,
    messages.tone,
    messages.offer_key,
    {{ hour_of_week(local_time('messages.sent_at', 'customers.timezone')) }} as hour_of_week,
    customers.has_behaviour,
    coalesce(messages.unsubscribed_at < customers.as_of, false) as is_unsubscribed,
    coalesce(messages.complained_at < customers.as_of, false) as is_complained,
    messages.sent_at,
    case
        when customers.has_behaviour and messages.first_human_open_at < customers.as_of then messages.first_human_open_at
    end as first_human_open_at,
    {# Whether a click is a person's is clear only after the seconds in which a scanner would follow other links. #}
    case
        when customers.has_behaviour
            and {{ dbt.dateadd('second', var('machine_click_burst_seconds'), 'messages.first_human_click_at') }} < customers.as_of
            then messages.first_human_click_at
    end as first_click_at
from messages
inner join customers
    on messages.customer_id = customers.customer_id
    and messages.sent_at < customers.as_of
