with outcomes as (

    select * from {{ ref('int_message_outcomes_as_of') }}
    where subject_variant is not null
        and has_behaviour
        {#- Of younger ones most answers are still to come. #}
        and sent_at < {{ days_before('as_of', 1) }}
        and sent_at >= {{ days_before('as_of', var('variant_history_days')) }}

)

select
    customer_id,
    message_key,
    subject_variant,
    as_of,
    cast(count(*) as integer) as n_sent,
    cast(count(first_human_open_at) as integer) as n_human_opens
from outcomes
group by customer_id, message_key, subject_variant, as_of
order by as_of, customer_id, message_key, subject_variant
