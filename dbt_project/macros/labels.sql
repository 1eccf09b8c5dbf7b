{# Whether the label window of a snapshot, `days` days from as_of on, had ended when the labels were made. #}
{% macro label_window_is_over(days) -%}
  {{ days_after('as_of', days) }} <= cast('{{ var("labels_until") }}' as date)
{%- endmacro %}

{# Whether a moment lies in the label window of a row of `customers`: as_of itself belongs to it. #}
{% macro in_label_window(moment, days) -%}
  {{ moment }} >= customers.as_of and {{ moment }} < {{ days_after('customers.as_of', days) }}
{%- endmacro %}
