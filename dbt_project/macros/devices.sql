{# mobile, tablet, desktop or other; null where the device is not known. #}
{% macro device_class(device) -%}
  case
    when lower({{ device }}) in ('mobile', 'phone', 'smartphone', 'ios', 'android', 'iphone') then 'mobile'
    when lower({{ device }}) in ('tablet', 'ipad') then 'tablet'
    when lower({{ device }}) in ('desktop', 'computer', 'laptop', 'pc', 'web') then 'desktop'
    when {{ device }} is not null then 'other'
  end
{%- endmacro %}

{# The most frequent of three counts; null where all are 0. #}
{% macro preferred_device(n_mobile, n_tablet, n_desktop) -%}
  case
    when {{ n_mobile }} + {{ n_tablet }} + {{ n_desktop }} > 0 then
      case
        when {{ n_mobile }} >= {{ n_tablet }} and {{ n_mobile }} >= {{ n_desktop }} then 'mobile'
        when {{ n_desktop }} >= {{ n_tablet }} then 'desktop'
        else 'tablet'
      end
  end
{%- endmacro %}
