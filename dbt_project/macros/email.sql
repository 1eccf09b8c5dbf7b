{#
  User agents that fetch pictures without a reader: Apple Mail Privacy Protection (the bare 'Mozilla/5.0') and
  security scanners. GoogleImageProxy is not among them: Gmail shows a person's open through it.
#}
{% macro is_machine_agent(user_agent) -%}
  coalesce(
    trim({{ user_agent }}) = 'Mozilla/5.0'
    or regexp_matches(
      lower({{ user_agent }}),
      'bot|crawler|spider|scanner|mimecast|proofpoint|barracuda|safelinks|symantec|cloudmark|trendmicro|mailguard|urldefense|headlesschrome|python-requests|curl/|wget/'
    ),
    false
  )
{%- endmacro %}
