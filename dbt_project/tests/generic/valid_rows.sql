{#
  Rows that break any of the conditions; one scan for all of them. A condition that is null holds: `not_negative` and
  `shares` (0 to 1, but for rounding) bound numbers where they are known. With `by_day`, a column of days, among the days of
  this run alone.
#}
{% test valid_rows(model, not_null=[], accepted_values={}, not_negative=[], shares=[], conditions=[], by_day=none) %}
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
{%- for column in not_negative %}
  or {{ column }} < 0
{%- endfor %}
{%- for column in shares %}
  or {{ column }} not between 0 and 1 + 1e-9
{%- endfor %}
{%- for condition in conditions %}
  or not ({{ condition }})
{%- endfor %}
)
{% endtest %}
