with customers as (

    select * from {{ ref('int_customer_as_of') }}

),

service_events as (

    select * from {{ ref('fct_service_events') }}

)

select
    customers.customer_id,
    customers.as_of,
    {%- for days in [7, 30, 90] %}
    cast(count(*) filter (
        where service_events.kind = 'support'
        and service_events.occurred_at >= {{ days_before('customers.as_of', days) }}
    ) as integer) as n_support_{{ days }}d,
    {%- endfor %}
    {{ stable_sum('service_events.rating') }} / nullif(count(service_events.rating), 0) as mean_rating,
    {%- set recent = 'service_events.occurred_at >= ' ~ days_before('customers.as_of', 180) %}
    {{ stable_sum('service_events.rating', where=recent) }}
        / nullif(count(service_events.rating) filter (where {{ recent }}), 0) as mean_rating_180d,
    arg_max(service_events.rating, (service_events.occurred_at, service_events.event_id)) filter (
        where service_events.rating is not null and {{ recent }}
    ) as last_rating_180d,
    cast(count(*) filter (
        where service_events.is_bad
        and service_events.occurred_at >= {{ days_before('customers.as_of', 30) }}
    ) as integer) as n_bad_experiences_30d,
    max(service_events.occurred_at) filter (where service_events.kind = 'support') as last_support_at
from service_events
inner join customers
    on service_events.customer_id = customers.customer_id
    and service_events.occurred_at < customers.as_of
group by customers.customer_id, customers.as_of
