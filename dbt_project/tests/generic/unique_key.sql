{# Rows whose key repeats or has a null part; with `by_day`, a column of days, among the days of this run alone. #}
{% test unique_key(model, columns, by_day=none) %}
select {{ columns | join(', ') }}, count(*) as n_rows
from {{ model }}
{%- if by_day %}
where {{ of_this_run(by_day) }}
{%- endif %}
group by {{ columns | join(', ') }}
having count(*) > 1 {% for column in columns %} or {{ column }} is null {% endfor %}
{% endtest %}
