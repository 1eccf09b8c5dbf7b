{#
  The snapshot dates of this run: variable as_of_dates, or the environment. dbt parses the whole project anew whenever a
  variable has another value than in the run before, but not for another environment: plans of every day come that way.
#}
{% macro snapshot_dates() -%}
  {{- return((var('as_of_dates') or env_var('SENDPLAN_AS_OF_DATES', '').split(',')) | select | unique | sort) -}}
{%- endmacro %}

{# The snapshot dates of this run as a table of one column; fails where none were given. #}
{% macro as_of_dates() -%}
  {%- set dates = snapshot_dates() -%}
  {%- if execute and dates | length == 0 and flags.WHICH in ('run', 'build') -%}
    {{ exceptions.raise_compiler_error(
      "Feature and label models need snapshot dates: pass --vars '{\"as_of_dates\": [\"YYYY-MM-DD\"]}', "
      ~ "or set SENDPLAN_AS_OF_DATES=YYYY-MM-DD,YYYY-MM-DD."
    ) }}
  {%- endif -%}
  select distinct cast(as_of as date) as as_of
  from (values {% for as_of in dates or ['0001-01-01'] %}('{{ as_of }}'){{ ', ' if not loop.last }}{% endfor %}) as dates (as_of)
{%- endmacro %}
