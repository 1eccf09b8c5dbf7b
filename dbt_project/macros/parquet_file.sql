{#
  One Parquet file per model, `<features_root>/<model>.parquet`, in the order of the model's own ORDER BY, and a view of
  the same name over it. Unlike dbt-duckdb's `external`, an empty result is an empty file (not one row of nulls), the
  rows never pass through a table of the warehouse, and the file appears whole or not at all.
#}
{% materialization parquet_file, adapter='duckdb' %}
  {%- set path = var('features_root') ~ '/' ~ this.identifier ~ '.parquet' -%}
  {%- set target_relation = this.incorporate(type='view') -%}
  {%- set existing_relation = load_cached_relation(this) -%}

  {{ run_hooks(pre_hooks) }}

  {% if config.get('contract').enforced %}
    {{ get_assert_columns_equivalent(sql) }}
  {% endif %}
  {% if existing_relation is not none and existing_relation.type != 'view' %}
    {{ drop_relation_if_exists(existing_relation) }}
  {% endif %}

  {% call statement('main') -%}
    copy (
      {{ sql }}
    ) to '{{ path }}' (format parquet, compression zstd, use_tmp_file true)
  {%- endcall %}
  {% call statement('view') -%}
    create or replace view {{ target_relation }} as select * from read_parquet('{{ path }}')
  {%- endcall %}

  {{ run_hooks(post_hooks) }}
  {% do persist_docs(target_relation, model) %}
  {{ adapter.commit() }}

  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
