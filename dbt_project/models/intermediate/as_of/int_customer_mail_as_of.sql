with outcomes as (

    select * from {{ ref('int_message_outcomes_as_of') }}
    where has_behaviour

)

select
    customer_id,
    as_of,
    cast(count(*) filter (where sent_at >= {{ days_before('as_of', 30) }}) as integer) as n_emails_30d,
    cast(count(*) filter (where sent_at >= {{ days_before('as_of', 90) }}) as integer) as n_emails_90d,
    cast(count(first_human_open_at) filter (where sent_at >= {{ days_before('as_of', 90) }}) as integer) as n_human_opens_90d,
    cast(count(first_click_at) filter (where sent_at >= {{ days_before('as_of', 90) }}) as integer) as n_clicks_90d,
    max(last_human_open_at) as last_human_open_at,
    max(last_click_at) as last_click_at
from outcomes
group by customer_id, as_of
