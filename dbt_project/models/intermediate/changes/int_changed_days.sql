{{ config(post_hook="{{ mark_days_in_work() }}") }}

{#- Compared with what the last complete run built, which stands downstream of here: read by name, not by ref. -#}
{%- set built = as_built('int_built_days') -%}

with raw_days as (

    select * from {{ ref('stg_event_days') }}

),

built_days as (

    {% if built -%}
    select event_date, version from {{ built }}
    {%- else -%}
    select cast(null as date) as event_date, cast(null as varchar) as version where false
    {%- endif %}

)

select
    coalesce(raw_days.event_date, built_days.event_date) as event_date,
    raw_days.version,
    case
        when built_days.event_date is null then 'new'
        when raw_days.event_date is null then 'gone'
        else 're-opened'
    end as reason
from raw_days
full outer join built_days on raw_days.event_date = built_days.event_date
where raw_days.version is distinct from built_days.version
