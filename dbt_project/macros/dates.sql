{# Moments are naive UTC timestamps; a snapshot date is compared as its 00:00 UTC. #}

{% macro days_between(earlier, later) -%}
  ((epoch(cast({{ later }} as timestamp)) - epoch(cast({{ earlier }} as timestamp))) / 86400.0)
{%- endmacro %}

{% macro seconds_between(earlier, later) -%}
  (epoch({{ later }}) - epoch({{ earlier }}))
{%- endmacro %}

{# Whole hours from a sending to a later moment; all after the days in which an answer counts are the last. #}
{% macro hours_since_sent(sent_at, moment) -%}
  cast(least(
    floor({{ seconds_between(sent_at, 'cast(' ~ moment ~ ' as timestamp)') }} / 3600.0), 24 * {{ var('variant_answer_days') }}
  ) as integer)
{%- endmacro %}

{% macro days_before(moment, days) -%}
  {{ dbt.dateadd('day', '-1 * (' ~ days ~ ')', moment) }}
{%- endmacro %}

{% macro days_after(moment, days) -%}
  {{ dbt.dateadd('day', days, moment) }}
{%- endmacro %}

{# Fractions of a day, to the second. #}
{% macro fractional_days_after(moment, days) -%}
  {{ dbt.dateadd('second', 'cast(round((' ~ days ~ ') * 86400) as bigint)', moment) }}
{%- endmacro %}

{# Wall-clock time in an IANA time zone; UTC where the zone is null. From microseconds, as reading UTC as a zone costs as much as the zone itself. #}
{% macro local_time(moment, timezone) -%}
  timezone(coalesce({{ timezone }}, 'UTC'), make_timestamptz(epoch_us({{ moment }})))
{%- endmacro %}

{# Monday 00:00 is 0, Sunday 23:00 is 167. #}
{% macro hour_of_week(local_moment) -%}
  cast((isodow({{ local_moment }}) - 1) * 24 + hour({{ local_moment }}) as smallint)
{%- endmacro %}

{# The zone if the database knows it, else null: an unknown zone would fail every conversion. #}
{% macro known_timezone(timezone) -%}
  case when {{ timezone }} in (select name from pg_timezone_names()) then {{ timezone }} end
{%- endmacro %}
