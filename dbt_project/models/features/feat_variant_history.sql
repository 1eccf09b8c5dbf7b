with outcomes as (

    select * from {{ ref('int_message_outcomes_as_of') }}
    where subject_variant is not null and has_behaviour and sent_at >= {{ days_before('as_of', var('variant_history_days')) }}

),

stages as (

    select * from {{ ref('int_customer_stages_as_of') }}

),

sends as (

    select
        outcomes.message_key,
        outcomes.subject_variant,
        {# Without nullif the file would say whether any mail, even a later one, has no tone: known to be there, or maybe null. #}
        coalesce(nullif(outcomes.tone, ''), 'unknown') as tone,
        coalesce(stages.lifecycle_stage, 'prospect') as segment,
        {{ hours_since_sent('outcomes.sent_at', 'outcomes.as_of') }} as age_hours,
        outcomes.as_of,
        outcomes.first_human_open_at <= {{ days_after('outcomes.sent_at', var('variant_answer_days')) }} as is_opened,
        outcomes.first_click_at <= {{ days_after('outcomes.sent_at', var('variant_answer_days')) }} as is_clicked
    from outcomes
    {# The stage the plan of that day saw. #}
    left join stages
        on outcomes.customer_id = stages.customer_id
        and outcomes.as_of = stages.as_of
        and (stages.since is null or stages.since <= cast(outcomes.sent_at as date))
        and (stages.until is null or stages.until > cast(outcomes.sent_at as date))

)

select
    message_key,
    subject_variant,
    tone,
    segment,
    age_hours,
    as_of,
    cast(count(*) as integer) as n_sent,
    cast(count(*) filter (where is_opened) as integer) as n_human_opens,
    cast(count(*) filter (where is_clicked) as integer) as n_clicks
from sends
group by message_key, subject_variant, tone, segment, age_hours, as_of
order by as_of, message_key, subject_variant, tone, segment, age_hours
