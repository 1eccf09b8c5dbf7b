{#
  Rows that break any of the conditions; one scan for all of them. A condition that is null holds. With `by_day`, a column of
  days, among the days of this run alone.
#}
{% test valid_rows(model, not_null=[], accepted_values={}, conditions=[], by_day=none) %}
select *
from {{ model }}
where {% if by_day %}{{ of_this_run(by_day) }} and {% endif %}(
false
{%- for column in not_null %}
  or {{ column }} is null
{%- endfor %}
{%- for column, values in accepted_values.items() %}
  or {{ column }} not in ({% for value in values %}'{{ value }}'{{ ', ' if not loop.last }}{% endfor %})
{%- endfor %}
{%- for condition in conditions %}
  or not ({{ condition }})
{%- endfor %}
)
{% endtest %}
