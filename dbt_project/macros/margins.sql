{# Margin of a sum of money: less the cost of the units where it is known, else at the default rate. #}
{% macro margin(revenue, quantity, unit_cost) -%}
  coalesce({{ revenue }} - {{ quantity }} * {{ unit_cost }}, {{ revenue }} * {{ var('default_margin_rate') }})
{%- endmacro %}
