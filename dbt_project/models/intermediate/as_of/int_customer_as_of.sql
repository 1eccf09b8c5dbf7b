with dates as (

    select * from {{ ref('int_as_of_dates') }}

),

customers as (

    select * from {{ ref('dim_customers') }}

),

consents as (

    select * from {{ ref('int_consent_as_of') }}

),

known as (

    select
        customers.customer_id,
        customers.person_id,
        customers.timezone,
        dates.as_of,
        customers.signed_up_at is null as is_undated,
        case when customers.signed_up_at < dates.as_of then customers.signed_up_at end as signed_up_at,
        case when customers.first_event_at < dates.as_of then customers.first_event_at end as first_event_at
    from customers
    inner join dates
        on customers.signed_up_at is null
        or customers.signed_up_at < dates.as_of
        or customers.first_event_at < dates.as_of

)

select
    known.customer_id,
    known.as_of,
    known.person_id,
    known.timezone,
    {# Of several customers with one address the longest known who has given consent is mailed. #}
    row_number() over (
        partition by known.as_of, known.person_id
        order by coalesce(consents.consent_status = 'granted', false) desc, known.is_undated desc, least(known.signed_up_at, known.first_event_at), known.customer_id
    ) > 1 as is_duplicate,
    coalesce(consents.consent_status, 'unknown') as consent_status,
    coalesce(consents.is_profiling_allowed, true) as has_behaviour,
    case
        when coalesce(consents.is_profiling_allowed, true) then least(known.signed_up_at, known.first_event_at)
        else known.signed_up_at
    end as first_seen_at
from known
left join consents
    on known.customer_id = consents.customer_id
    and known.as_of = consents.as_of
