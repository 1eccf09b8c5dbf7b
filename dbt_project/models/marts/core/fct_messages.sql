with events as (

    select * from {{ ref('stg_events') }}

),

customers as (

    select * from {{ ref('stg_customers') }}

),

sent as (

    select
        coalesce(message_id, event_id) as message_id,
        customer_id,
        coalesce({{ json_text('properties', 'message_key') }}, 'unknown') as message_key,
        {{ json_text('properties', 'subject_variant') }} as subject_variant,
        occurred_at as sent_at,
        row_number() over (partition by coalesce(message_id, event_id) order by occurred_at, event_id) as nth
    from events
    where event = 'Email Sent'

),

delivered as (

    select
        message_id,
        min(occurred_at) as delivered_at
    from events
    where event = 'Email Delivered' and message_id is not null
    group by message_id

)

select
    sent.message_id,
    sent.customer_id,
    sent.message_key,
    sent.subject_variant,
    {{ hour_of_week(local_time('sent.sent_at', 'customers.timezone')) }} as hour_of_week,
    sent.sent_at,
    delivered.delivered_at
from sent
left join delivered on sent.message_id = delivered.message_id
left join customers on sent.customer_id = customers.customer_id
where sent.nth = 1
