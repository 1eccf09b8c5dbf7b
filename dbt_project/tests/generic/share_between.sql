{#
  A share of rows that is out of its usual bounds: the data are not wrong row by row, but not what they were. `among` narrows
  down the rows that count; fewer than `min_rows` of them say nothing. With `by_day`, a column of days, among the days of this
  run alone. Meant to warn: when and on what the bounds were measured stands in `meta.measured`.
#}
{% test share_between(model, condition, low, high, among='true', min_rows=1000, by_day=none) %}
select *
from (
    select
        count(*) as n_rows,
        avg(case when {{ condition }} then 1.0 else 0.0 end) as share
    from {{ model }}
    where {{ among }} {%- if by_day %} and {{ of_this_run(by_day) }}{% endif %}
) as measured
where n_rows >= {{ min_rows }} and share not between {{ low }} and {{ high }}
{% endtest %}
