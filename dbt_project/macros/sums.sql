{#
  The sum of fractional numbers as a double, the same to the last bit whatever the order of the rows: floating-point
  sums depend on how threads share the work, fixed-point sums do not.
#}
{% macro stable_sum(expression, where=none, over=none) -%}
  cast(sum(cast({{ expression }} as decimal(18, 6))){% if where %} filter (where {{ where }}){% endif %}{% if over %} over ({{ over }}){% endif %} as double)
{%- endmacro %}

{# Weight of something that happened `age_days` ago. #}
{% macro decay(age_days, half_life_days) -%}
  power(0.5, {{ age_days }} / {{ half_life_days }})
{%- endmacro %}
