{#
  One Parquet file per model, `<features_root>/<model>.parquet`, in the order of the model's own ORDER BY, and a view of
  the same name over it. Unlike dbt-duckdb's `external`, an empty result is an empty file (not one row of nulls), the
  rows never pass through a table of the warehouse, and the file appears whole or not at all.

  With `{as_of}` in features_root there is one such file for each snapshot date: several days of plans in one run.
#}
{% materialization parquet_file, adapter='duckdb' %}
  {%- set root = var('features_root') -%}
  {%- set dates = snapshot_dates() if '{as_of}' in root else [none] -%}
  {%- set paths = [] -%}
  {%- for as_of in dates -%}
    {%- do paths.append((root.replace('{as_of}', as_of) if as_of else root) ~ '/' ~ this.identifier ~ '.parquet') -%}
  {%- endfor -%}
  {%- set target_relation = this.incorporate(type='view') -%}
  {%- set existing_relation = load_cached_relation(this) -%}

  {{ run_hooks(pre_hooks) }}

  {% if config.get('contract').enforced %}
    {{ get_assert_columns_equivalent(sql) }}
  {% endif %}
  {% if existing_relation is not none and existing_relation.type != 'view' %}
    {{ drop_relation_if_exists(existing_relation) }}
  {% endif %}

  {% if paths | length == 1 %}
    {% call statement('main') -%}
      {{ copy_to_parquet(sql, paths[0]) }}
    {%- endcall %}
  {% else %}
    {%- set rows = make_temp_relation(this) -%}
    {% call statement('main') -%}
      create or replace temp table {{ rows.identifier }} as
      select *, row_number() over () as nth from (
        {{ sql }}
      )
    {%- endcall %}
    {% for path in paths %}
      {% call statement('copy_' ~ loop.index) -%}
        {{ copy_to_parquet(
            'select * exclude (nth) from ' ~ rows.identifier ~ " where as_of = date '" ~ dates[loop.index0] ~ "' order by nth", path
        ) }}
      {%- endcall %}
    {% endfor %}
    {% call statement('drop_rows') -%}
      drop table {{ rows.identifier }}
    {%- endcall %}
  {% endif %}
  {% call statement('view') -%}
    create or replace view {{ target_relation }} as select * from read_parquet(['{{ paths | join("', '") }}'])
  {%- endcall %}

  {{ run_hooks(post_hooks) }}
  {% do persist_docs(target_relation, model) %}
  {{ adapter.commit() }}

  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{% macro copy_to_parquet(sql, path) -%}
  copy (
    {{ sql }}
  ) to '{{ path }}' (format parquet, compression zstd, use_tmp_file true)
{%- endmacro %}
