{{ config(materialized='view') }}

with consents as (

    select * from {{ ref('stg_consents') }}

),

email_events as (

    select * from {{ ref('int_email_events') }}

),

responses as (

    select * from {{ ref('fct_message_responses') }}

),

changes as (

    select customer_id, purpose, is_granted, occurred_at from consents
    union
    select customer_id, 'email_marketing', true, occurred_at from email_events where kind = 'subscribe'
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
