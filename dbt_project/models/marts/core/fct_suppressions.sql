{{ config(materialized='view') }}

with consents as (

    select * from {{ ref('fct_consents') }}
    where purpose = 'email_marketing'

),

responses as (

    select * from {{ ref('fct_message_responses') }}
    where customer_id is not null

),

words as (

    select
        *,
        lag(is_granted) over (partition by customer_id order by occurred_at, is_granted desc) as granted_before,
        min(case when is_granted then occurred_at end) over (
            partition by customer_id order by occurred_at, is_granted desc
            rows between 1 following and unbounded following
        ) as granted_again_at
    from consents

),

suppressions as (

    select customer_id, 'unsubscribed' as reason, occurred_at as suppressed_from, granted_again_at as suppressed_to
    from words
    where not is_granted and coalesce(granted_before, true)
    union all
    select customer_id, 'complaint', min(occurred_at), cast(null as timestamp)
    from responses
    where kind = 'complaint'
    group by customer_id
    union all
    select customer_id, 'hard_bounce', min(occurred_at), cast(null as timestamp)
    from responses
    where kind = 'bounce' and bounce_type in ('hard', 'permanent')
    group by customer_id

)

select
    customer_id,
    reason,
    suppressed_from,
    suppressed_to
from suppressions
