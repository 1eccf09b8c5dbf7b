with events as (

    select * from {{ ref('stg_events') }}

),

messages as (

    select * from {{ ref('fct_messages') }}

),

customers as (

    select * from {{ ref('stg_customers') }}

),

responses as (

    select
        events.event_id,
        events.message_id,
        coalesce(events.customer_id, messages.customer_id) as customer_id,
        case events.event
            when 'Email Opened' then 'open'
            when 'Email Link Clicked' then 'click'
            when 'Email Bounced' then 'bounce'
            when 'Email Marked as Spam' then 'complaint'
            when 'Unsubscribed' then 'unsubscribe'
        end as kind,
        events.url,
        events.user_agent,
        lower(coalesce({{ json_text('events.properties', 'bounce_type') }}, {{ json_text('events.properties', 'kind') }})) as bounce_type,
        events.occurred_at,
        messages.sent_at,
        {{ seconds_between(
            'case when messages.delivered_at <= events.occurred_at then messages.delivered_at else messages.sent_at end',
            'events.occurred_at'
        ) }} as seconds_after_delivery
    from events
    left join messages
        on events.message_id = messages.message_id
        and messages.sent_at <= events.occurred_at
    where events.event in (
        'Email Opened', 'Email Link Clicked', 'Email Bounced', 'Email Marked as Spam', 'Unsubscribed'
    )

),

clicks as (

    select * from responses where kind = 'click'

),

click_bursts as (

    select
        clicks.event_id,
        min(greatest(clicks.occurred_at, others.occurred_at)) as machine_at
    from clicks
    inner join clicks as others
        on clicks.message_id = others.message_id
        and clicks.url <> others.url
        and abs({{ seconds_between('clicks.occurred_at', 'others.occurred_at') }})
            <= {{ var('machine_click_burst_seconds') }}
    group by clicks.event_id

)

select
    responses.event_id,
    responses.message_id,
    responses.customer_id,
    responses.kind,
    responses.bounce_type,
    {{ hour_of_week(local_time('responses.occurred_at', 'customers.timezone')) }} as hour_of_week,
    responses.occurred_at,
    case
        when responses.kind = 'open' and (
            {{ is_machine_agent('responses.user_agent') }}
            or responses.seconds_after_delivery < {{ var('machine_open_seconds') }}
        ) then responses.occurred_at
        when responses.kind = 'click' and responses.seconds_after_delivery < {{ var('machine_click_seconds') }}
            then responses.occurred_at
        else click_bursts.machine_at
    end as machine_at
from responses
left join click_bursts on responses.event_id = click_bursts.event_id
left join customers on responses.customer_id = customers.customer_id
