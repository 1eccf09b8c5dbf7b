with outcomes as (

    select * from {{ ref('int_message_outcomes_as_of') }}
    where has_behaviour and sent_at >= {{ days_before('as_of', var('variant_history_days')) }}

),

opens as (

    select
        {{ hours_since_sent('sent_at', 'first_human_open_at') }} as delay_hours,
        {{ hours_since_sent('sent_at', 'as_of') }} as age_hours,
        as_of
    from outcomes
    where first_human_open_at <= {{ days_after('sent_at', var('variant_answer_days')) }}

)

select
    delay_hours,
    age_hours,
    as_of,
    cast(count(*) as integer) as n_opens
from opens
group by delay_hours, age_hours, as_of
order by as_of, delay_hours, age_hours
