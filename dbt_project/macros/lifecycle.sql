{# Days of silence after which a customer counts as at risk, and as lapsed: his own rhythm, with a floor. #}
{% macro at_risk_after_days(mean_gap_days) -%}
  greatest({{ var('at_risk_min_days') }}, {{ var('at_risk_gaps') }} * coalesce({{ mean_gap_days }}, 0))
{%- endmacro %}

{% macro lapsed_after_days(mean_gap_days) -%}
  greatest({{ var('lapsed_min_days') }}, {{ var('lapsed_gaps') }} * coalesce({{ mean_gap_days }}, 0))
{%- endmacro %}
