{#
  How the warehouse follows changed days. `int_changed_days` lists the days whose raw file is not the one that was built;
  an incremental model reads those days alone, takes out what it had for them and puts in what they hold now. Some models
  reach past midnight: `before` and `after` say by how many days.
#}

{# The changed days as literals, so that files and row groups of other days are never opened. #}
{% macro changed_days(before=0, after=0) -%}
  {%- if execute and load_relation(ref('int_changed_days')) is none -%}
    {#- Compiling without a warehouse, for documentation. -#}
    cast(null as date)
  {%- elif execute -%}
    {%- set days = run_query(
      "select distinct cast(event_date + cast(shift as integer) as date) as event_date from "
      ~ ref('int_changed_days') ~ " cross join range(" ~ -before ~ ", " ~ (after + 1) ~ ") as shifts (shift) order by all"
    ) -%}
    {%- for row in days.rows -%}date '{{ row[0] }}'{{ ', ' if not loop.last }}{%- endfor -%}
    {%- if not days.rows %}cast(null as date){% endif -%}
  {%- endif -%}
{%- endmacro %}

{# A filter on a column of days: all of history at first, the changed days from then on. #}
{% macro in_changed_days(column, before=0, after=0) -%}
  {% if is_incremental() %}{{ column }} in ({{ changed_days(before, after) }}){% else %}true{% endif %}
{%- endmacro %}

{# A filter for tests: rows of earlier days were tested when they were built. #}
{% macro of_this_run(column) -%}
  {%- set changed = ref('int_changed_days') -%}
  {{ column }} in ({{ changed_days() }})
{%- endmacro %}

{# A filter on a column of message ids: the messages that something changed about. #}
{% macro in_changed_messages(column) -%}
  {% if is_incremental() %}{{ column }} in (select message_id from {{ ref('int_changed_messages') }}){% else %}true{% endif %}
{%- endmacro %}

{# A table as the last run left it, read by name by what stands upstream of it; nothing at first and in a full refresh. #}
{% macro as_built(name) -%}
  {%- set relation = adapter.get_relation(target.database, target.schema, name) if not flags.FULL_REFRESH -%}
  {{- return(relation or '') -}}
{%- endmacro %}

{# A day that is being built is not built: whatever becomes of this run, the next one takes the day up. #}
{% macro mark_days_in_work() -%}
  {%- set built = adapter.get_relation(target.database, target.schema, 'int_built_days') -%}
  {% if built %}
  delete from {{ built }} where event_date in (select event_date from {{ this }});
  insert into {{ built }} (event_date, version) select event_date, 'in work' from {{ this }}
  {% endif %}
{%- endmacro %}

{% macro replace_rows(arguments, where) -%}
  {%- set columns = get_quoted_csv(arguments['dest_columns'] | map(attribute='name')) -%}
  delete from {{ arguments['target_relation'] }} where {{ where }};
  insert into {{ arguments['target_relation'] }} ({{ columns }}) select {{ columns }} from {{ arguments['temp_relation'] }}
{%- endmacro %}

{# incremental_strategy='by_day': meta.day_column names the column, meta.days_after how far a day reaches. #}
{% macro get_incremental_by_day_sql(arg_dict) -%}
  {%- set meta = config.get('meta') -%}
  {{ replace_rows(arg_dict, meta.get('day_column', 'event_date') ~ ' in ('
    ~ changed_days(meta.get('days_before', 0), meta.get('days_after', 0)) ~ ')') }}
{%- endmacro %}

{# incremental_strategy='by_message': rows of changed messages; rows of no message by their day. #}
{% macro get_incremental_by_message_sql(arg_dict) -%}
  {{ replace_rows(arg_dict, in_changed_messages('message_id')
    ~ (' or (message_id is null and event_date in (' ~ changed_days() ~ '))' if config.get('meta').get('has_messageless_rows'))) }}
{%- endmacro %}
