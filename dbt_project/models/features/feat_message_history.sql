with outcomes as (

    select * from {{ ref('int_message_outcomes_as_of') }}

)

select
    customer_id,
    message_key,
    as_of,
    cast(count(*) as integer) as n_sent,
    cast(count(first_human_open_at) as integer) as n_human_opens,
    cast(count(first_click_at) as integer) as n_clicks,
    cast(sum(n_orders) as integer) as n_orders,
    cast(count(*) filter (where is_unsubscribed) as integer) as n_unsubscribes,
    cast(count(*) filter (where is_complained) as integer) as n_complaints,
    max(sent_at) as last_sent_at
from outcomes
group by customer_id, message_key, as_of
order by as_of, customer_id, message_key
