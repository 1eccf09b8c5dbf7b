{{ config(materialized='incremental', incremental_strategy='by_message') }}

-- depends_on: {{ ref('int_changed_days') }}, {{ ref('int_changed_messages') }}
with responses as (

    select * from {{ ref('fct_message_responses') }}
    where message_id is not null and {{ in_changed_messages('message_id') }}

)

select
    message_id,
    min(occurred_at) filter (where kind = 'open' and not is_machine) as first_human_open_at,
    min(occurred_at) filter (where kind = 'click' and not is_machine) as first_human_click_at,
    min(occurred_at) filter (where kind = 'open' and is_machine) as first_machine_open_at,
    min(occurred_at) filter (where kind = 'bounce') as bounced_at,
    min(occurred_at) filter (where kind = 'complaint') as complained_at,
    min(occurred_at) filter (where kind = 'unsubscribe') as unsubscribed_at,
    max(machine_score) filter (where kind = 'open') as machine_open_score,
    coalesce(list_sort(list_distinct(flatten(list(machine_signals) filter (where kind = 'open')))), []) as machine_open_signals
from responses
group by message_id
