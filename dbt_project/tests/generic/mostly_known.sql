{#
  A relationship that raw events may break, as long as few do: a share of rows below `low` whose value is in another table.
  Rows without a value do not count; fewer than `min_rows` say nothing. With `by_day`, among the days of this run alone.
#}
{% test mostly_known(model, column_name, to, field, low, min_rows=100, by_day=none) %}
select *
from (
    select
        count(*) as n_rows,
        avg(case when others.{{ field }} is not null then 1.0 else 0.0 end) as share
    from {{ model }} as rows_here
    left join {{ to }} as others on rows_here.{{ column_name }} = others.{{ field }}
    where rows_here.{{ column_name }} is not null {%- if by_day %} and {{ of_this_run('rows_here.' ~ by_day) }}{% endif %}
) as measured
where n_rows >= {{ min_rows }} and share < {{ low }}
{% endtest %}
