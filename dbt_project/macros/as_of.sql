{# The snapshot dates of this run as a table of one column; fails where none were given. #}
{% macro as_of_dates() -%}
  {%- set dates = var('as_of_dates') -%}
  {%- if execute and dates | length == 0 and flags.WHICH in ('run', 'build') -%}
    {{ exceptions.raise_compiler_error(
      "Feature and label models need snapshot dates: pass --vars '{\"as_of_dates\": [\"YYYY-MM-DD\"]}'."
    ) }}
  {%- endif -%}
  select distinct cast(as_of as date) as as_of
  from (values {% for as_of in dates or ['0001-01-01'] %}('{{ as_of }}'){{ ', ' if not loop.last }}{% endfor %}) as dates (as_of)
{%- endmacro %}
