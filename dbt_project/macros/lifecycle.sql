{# Days of silence after which a customer counts as at risk, and as lapsed: his own rhythm, with a floor. #}
{% macro at_risk_after_days(mean_gap_days) -%}
  cast(greatest({{ var('at_risk_min_days') }}, {{ var('at_risk_gaps') }} * coalesce({{ mean_gap_days }}, 0)) as double)
{%- endmacro %}

{% macro lapsed_after_days(mean_gap_days) -%}
  cast(greatest({{ var('lapsed_min_days') }}, {{ var('lapsed_gaps') }} * coalesce({{ mean_gap_days }}, 0)) as double)
{%- endmacro %}

{# The stage of a customer, the first that fits. #}
{% macro lifecycle_stage(n_order_days, days_since_first_order, days_since_last_order, mean_gap_days) -%}
  case
    when {{ n_order_days }} = 0 then 'prospect'
    when {{ days_since_last_order }} > {{ lapsed_after_days(mean_gap_days) }} then 'lapsed'
    when {{ days_since_last_order }} > {{ at_risk_after_days(mean_gap_days) }} then 'at_risk'
    when {{ n_order_days }} = 1 and {{ days_since_first_order }} <= {{ var('new_customer_days') }} then 'new'
    when {{ n_order_days }} >= {{ var('loyal_order_days') }} then 'loyal'
    else 'active'
  end
{%- endmacro %}

{#
  The first date whose 00:00 UTC lies more than `days` after the moment. The guess may be a day off by rounding, so it is
  checked with the very comparison that the stage uses.
#}
{% macro first_date_more_than(days, moment) -%}
  {%- set guess = "(date '1970-01-01' + cast(floor(epoch(" ~ moment ~ ") / 86400.0 + " ~ days ~ ") as integer))" -%}
  case
    when {{ days_between(moment, guess) }} > {{ days }} then {{ guess }}
    when {{ days_between(moment, guess ~ ' + 1') }} > {{ days }} then {{ guess }} + 1
    else {{ guess }} + 2
  end
{%- endmacro %}
