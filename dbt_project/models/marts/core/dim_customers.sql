with customers as (

    select * from {{ ref('stg_customers') }}

),

customer_days as (

    select * from {{ ref('int_customer_days') }}

),

first_events as (

    select
        customer_id,
        min(first_event_at) as first_event_at
    from customer_days
    group by customer_id

)

select
    customers.customer_id,
    customers.person_id,
    customers.locale,
    customers.timezone,
    customers.country,
    customers.region,
    customers.city,
    customers.signup_source,
    customers.industry,
    customers.job_role,
    customers.company_size,
    customers.has_email,
    customers.signed_up_at,
    first_events.first_event_at
from customers
left join first_events on customers.customer_id = first_events.customer_id
