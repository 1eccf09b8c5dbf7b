{{ config(tags=["warehouse"], meta={"dagster": {"ref": {"name": "fct_messages"}}}) }}

-- Every e-mail that was sent is one row of fct_messages, and none is there that was not sent.
with sent as (

    select distinct message_id
    from {{ ref('int_email_events') }}
    where kind = 'sent' and {{ of_this_run('event_date') }}

),

messages as (

    select message_id, sent_at from {{ ref('fct_messages') }}

)

select
    sent.message_id,
    'sent, but not in fct_messages' as what
from sent
left join messages on sent.message_id = messages.message_id
where messages.message_id is null

union all

select
    messages.message_id,
    'in fct_messages, but not sent' as what
from messages
left join sent on messages.message_id = sent.message_id
where {{ of_this_run('cast(messages.sent_at as date)') }} and sent.message_id is null
