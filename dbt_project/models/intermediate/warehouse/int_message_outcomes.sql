{{ config(materialized='incremental', incremental_strategy='by_message') }}

-- depends_on: {{ ref('int_changed_days') }}, {{ ref('int_changed_messages') }}
with messages as (

    select * from {{ ref('int_messages') }}
    where {{ in_changed_messages('message_id') }}

),

responses as (

    select * from {{ ref('fct_message_responses') }}
    where message_id is not null and {{ in_changed_messages('message_id') }}

),

{# Nobody opens an e-mail before it is sent: such an open or click counts for none. A bounce, complaint or unsubscribe does. #}
answers as (

    select
        responses.message_id,
        min(occurred_at) filter (where kind = 'open' and not is_machine) as first_human_open_at,
        min(occurred_at) filter (where kind = 'click' and not is_machine) as first_human_click_at,
        min(occurred_at) filter (where kind = 'open' and is_machine) as first_machine_open_at,
        min(occurred_at) filter (where kind = 'bounce') as bounced_at,
        min(occurred_at) filter (where kind = 'complaint') as complained_at,
        min(occurred_at) filter (where kind = 'unsubscribe') as unsubscribed_at,
        max(machine_score) filter (where kind = 'open') as machine_open_score,
        list_sort(list_distinct(flatten(list(machine_signals) filter (where kind = 'open')))) as machine_open_signals
    from responses
    inner join messages on responses.message_id = messages.message_id
    where responses.kind not in ('open', 'click') or responses.occurred_at >= messages.sent_at
    group by responses.message_id

)

select
    messages.*,
    answers.first_human_open_at,
    answers.first_human_click_at,
    answers.first_machine_open_at,
    answers.bounced_at,
    answers.complained_at,
    answers.unsubscribed_at,
    answers.machine_open_score,
    coalesce(answers.machine_open_signals, []) as machine_open_signals
from messages
left join answers on messages.message_id = answers.message_id
