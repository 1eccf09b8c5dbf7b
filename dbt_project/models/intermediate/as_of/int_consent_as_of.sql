with dates as (

    select * from {{ ref('int_as_of_dates') }}

),

consents as (

    select * from {{ ref('fct_consents') }}

),

ranked as (

    select
        consents.customer_id,
        dates.as_of,
        consents.purpose,
        consents.is_granted,
        row_number() over (
            partition by consents.customer_id, dates.as_of, consents.purpose
            order by consents.occurred_at desc, consents.is_granted
        ) as nth_from_last
    from consents
    inner join dates on consents.occurred_at < dates.as_of

)

select
    customer_id,
    as_of,
    coalesce(
        max(case when is_granted then 'granted' else 'withdrawn' end) filter (where purpose = 'email_marketing'),
        'unknown'
    ) as consent_status,
    coalesce(bool_and(is_granted) filter (where purpose = 'profiling'), true) as is_profiling_allowed
from ranked
where nth_from_last = 1
group by customer_id, as_of
