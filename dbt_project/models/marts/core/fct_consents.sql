with consents as (

    select * from {{ ref('stg_consents') }}

),

events as (

    select * from {{ ref('stg_events') }}

),

responses as (

    select * from {{ ref('fct_message_responses') }}

),

changes as (

    select customer_id, purpose, is_granted, occurred_at from consents
    union
    select customer_id, 'email_marketing', true, occurred_at from events where event = 'Subscribed'
    union
    select customer_id, 'email_marketing', false, occurred_at from responses where kind = 'unsubscribe'

)

select
    customer_id,
    purpose,
    is_granted,
    occurred_at
from changes
where customer_id is not null
