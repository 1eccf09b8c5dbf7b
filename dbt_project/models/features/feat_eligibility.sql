with customers as (

    select * from {{ ref('int_customer_as_of') }}

),

profiles as (

    select * from {{ ref('dim_customers') }}

),

outcomes as (

    select * from {{ ref('int_message_outcomes_as_of') }}

),

suppressions as (

    select * from {{ ref('fct_suppressions') }}

),

service as (

    select * from {{ ref('int_customer_service_as_of') }}

),

bad_service as (

    select * from {{ ref('int_bad_service_as_of') }}

),

sends as (

    select
        customer_id,
        as_of,
        {%- for days in [1, 7, 30] %}
        cast(count(*) filter (where sent_at >= {{ days_before('as_of', days) }}) as integer) as n_sent_{{ days }}d,
        {%- endfor %}
        max(sent_at) as last_sent_at
    from outcomes
    group by customer_id, as_of

),

{# A refusal holds for the address, whichever of its customers has said so. #}
refusals as (

    select
        customers.person_id,
        customers.as_of,
        bool_or(suppressions.reason = 'complaint') as has_complained,
        bool_or(suppressions.reason = 'unsubscribed') as has_unsubscribed,
        bool_or(suppressions.reason = 'hard_bounce') as has_hard_bounced
    from suppressions
    inner join customers
        on suppressions.customer_id = customers.customer_id
        and suppressions.suppressed_from < customers.as_of
        and (suppressions.suppressed_to is null or suppressions.suppressed_to >= customers.as_of)
    group by customers.person_id, customers.as_of

)

select
    customers.customer_id,
    customers.as_of,
    profiles.has_email,
    customers.consent_status,
    customers.has_behaviour as profiling_allowed,
    customers.is_duplicate,
    case
        when refusals.has_complained then 'complaint'
        when refusals.has_unsubscribed then 'unsubscribed'
        when refusals.has_hard_bounced then 'hard_bounce'
    end as suppression_reason,
    profiles.timezone,
    profiles.locale,
    coalesce(sends.n_sent_1d, 0) as n_sent_1d,
    coalesce(sends.n_sent_7d, 0) as n_sent_7d,
    coalesce(sends.n_sent_30d, 0) as n_sent_30d,
    sends.last_sent_at,
    case when customers.has_behaviour then service.last_support_at end as last_support_at,
    case when bad_service.promotion_paused_until > customers.as_of then bad_service.promotion_paused_until end as promotion_paused_until
from customers
inner join profiles on customers.customer_id = profiles.customer_id
left join sends on customers.customer_id = sends.customer_id and customers.as_of = sends.as_of
left join refusals on customers.person_id = refusals.person_id and customers.as_of = refusals.as_of
left join service on customers.customer_id = service.customer_id and customers.as_of = service.as_of
left join bad_service on customers.customer_id = bad_service.customer_id and customers.as_of = bad_service.as_of
order by customers.as_of, customers.customer_id
