{{ config(materialized='incremental', incremental_strategy='by_message', meta={'has_messageless_rows': true}) }}

{#-
  Signals that a machine did it, each with the chance that it alone tells the truth; independent signals add up as
  1 - product of (1 - weight). Half a chance is enough to be taken for a machine.
-#}
{%- set signals = [
    ('agent', 0.95, "responses.has_machine_agent"),
    ('speed', 0.9, "responses.seconds_after_delivery < case responses.kind when 'open' then " ~ var('machine_open_seconds')
        ~ " when 'click' then " ~ var('machine_click_seconds') ~ " end"),
    ('burst', 0.9, "click_bursts.event_id is not null"),
] -%}

-- depends_on: {{ ref('int_changed_days') }}, {{ ref('int_changed_messages') }}
with email_events as (

    select * from {{ ref('int_email_events') }}
    where kind in ('open', 'click', 'bounce', 'complaint', 'unsubscribe')
        and (
            (message_id is not null and {{ in_changed_messages('message_id') }})
            or (message_id is null and {{ in_changed_days('event_date') }})
        )

),

messages as (

    select * from {{ ref('int_messages') }}
    where {{ in_changed_messages('message_id') }}

),

{#
  Two clocks may disagree: where only the e-mail tells the recipient, its answer is no older than the e-mail, as nobody
  knows whose it is before. An answer that names its customer keeps its time.
#}
responses as (

    select
        email_events.*,
        messages.customer_id as recipient_id,
        case
            when email_events.customer_id is null then greatest(email_events.occurred_at, messages.sent_at)
            else email_events.occurred_at
        end as answered_at,
        case when messages.sent_at <= email_events.occurred_at then {{ seconds_between(
            'case when messages.delivered_at <= email_events.occurred_at then messages.delivered_at else messages.sent_at end',
            'email_events.occurred_at'
        ) }} end as seconds_after_delivery
    from email_events
    left join messages on email_events.message_id = messages.message_id

),

clicks as (

    select * from responses where kind = 'click'

),

click_bursts as (

    select distinct clicks.event_id
    from clicks
    inner join clicks as others
        on clicks.message_id = others.message_id
        and clicks.url <> others.url
        and abs({{ seconds_between('clicks.occurred_at', 'others.occurred_at') }})
            <= {{ var('machine_click_burst_seconds') }}

),

scored as (

    select
        responses.*,
        case when responses.kind in ('open', 'click') then 1 - (
            {%- for name, weight, condition in signals %}
            (case when {{ condition }} then {{ (1 - weight) | round(2) }}::double else 1::double end){{ ' *' if not loop.last }}
            {%- endfor %}
        ) else 0 end as machine_score,
        list_filter([
            {%- for name, weight, condition in signals %}
            case when {{ condition }} and responses.kind in ('open', 'click') then '{{ name }}' end{{ ',' if not loop.last }}
            {%- endfor %}
        ], lambda signal: signal is not null) as machine_signals
    from responses
    left join click_bursts on responses.event_id = click_bursts.event_id

)

select
    event_id,
    message_id,
    coalesce(customer_id, recipient_id) as customer_id,
    anonymous_id,
    kind,
    bounce_type,
    device,
    cast(round(machine_score, 6) as double) as machine_score,
    machine_signals,
    machine_score >= 0.5 as is_machine,
    event_date,
    answered_at as occurred_at,
    case
        when kind = 'click' then {{ dbt.dateadd('second', var('machine_click_burst_seconds'), 'answered_at') }}
        else answered_at
    end as known_at
from scored
