with customers as (

    select * from {{ ref('int_customer_as_of') }}

),

service_events as (

    select * from {{ ref('fct_service_events') }}

)

select
    customers.customer_id,
    customers.as_of,
    cast(count(*) filter (
        where service_events.kind = 'support'
        and service_events.occurred_at >= {{ days_before('customers.as_of', 30) }}
    ) as integer) as n_support_30d,
    {{ stable_sum('service_events.rating') }} / nullif(count(service_events.rating), 0) as mean_rating,
    max(service_events.occurred_at) filter (where service_events.kind = 'support') as last_support_at
from service_events
inner join customers
    on service_events.customer_id = customers.customer_id
    and service_events.occurred_at < customers.as_of
group by customers.customer_id, customers.as_of
