with outcomes as (

    select * from {{ ref('int_message_outcomes_as_of') }}
    where sent_at >= {{ days_before('as_of', var('outcome_days')) }}

),

messages as (

    select * from {{ ref('int_message_outcomes') }}

)

select
    outcomes.message_id,
    outcomes.customer_id,
    outcomes.as_of,
    outcomes.sent_at,
    coalesce(messages.delivered_at < outcomes.as_of, false) as is_delivered,
    {# Not seen is not the same as not done. #}
    case when outcomes.has_behaviour then outcomes.first_human_open_at is not null end as is_human_open,
    case when outcomes.has_behaviour then outcomes.first_click_at is not null end as is_click,
    outcomes.is_unsubscribed,
    outcomes.is_complained
from outcomes
inner join messages on outcomes.message_id = messages.message_id
order by outcomes.as_of, outcomes.customer_id, outcomes.sent_at, outcomes.message_id
