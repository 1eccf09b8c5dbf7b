with outcomes as (

    select * from {{ ref('int_message_outcomes_as_of') }}

)

select
    message_key,
    subject_variant,
    as_of,
    cast(count(*) as integer) as n_sent,
    cast(count(first_human_open_at) as integer) as n_human_opens,
    cast(count(first_click_at) as integer) as n_clicks
from outcomes
where subject_variant is not null and has_behaviour
group by message_key, subject_variant, as_of
order by as_of, message_key, subject_variant
