with outcomes as (

    select * from {{ ref('int_message_outcomes_as_of') }}
    where has_behaviour

)

select
    message_id,
    customer_id,
    as_of,
    sent_at,
    hour_of_week,
    message_key,
    coalesce(first_human_open_at <= {{ days_after('sent_at', 1) }}, false) as is_human_open_24h,
    coalesce(first_click_at <= {{ days_after('sent_at', 1) }}, false) as is_click_24h
from outcomes
where sent_at < {{ days_before('as_of', 1) }}
    and sent_at >= {{ days_before('as_of', var('label_send_days')) }}
order by as_of, message_id
