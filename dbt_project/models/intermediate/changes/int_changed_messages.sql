{{ config(materialized='incremental', incremental_strategy='append') }}

{#-
  The e-mails that the changed days speak of, as they were built and as they are now. Rows stay until a run is complete
  (`int_built_days` empties this table), so that a run that follows a broken one still knows what that one had taken out.
-#}
-- depends_on: {{ ref('int_changed_days') }}
{%- set built = as_built('int_email_events') %}

with now_there as (

    select coalesce(message_id, case when event = 'Email Sent' then event_id end) as message_id
    from {{ ref('stg_events') }}
    where (event like 'Email%' or event = 'Unsubscribed') and {{ in_changed_days('event_date') }}

),

had_been as (

    {% if is_incremental() and built -%}
    select message_id from {{ built }} where {{ in_changed_days('event_date') }}
    {%- else -%}
    select cast(null as varchar) as message_id where false
    {%- endif %}

)

{% if is_incremental() -%}
select message_id from now_there where message_id is not null
union
select message_id from had_been where message_id is not null
{%- else -%}
-- Nothing is built yet: everything is read, and nothing has to be found again.
select message_id from now_there where false
{%- endif %}
