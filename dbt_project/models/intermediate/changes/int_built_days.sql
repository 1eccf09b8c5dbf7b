{{ config(
    materialized='incremental',
    incremental_strategy='by_day',
    post_hook="delete from {{ ref('int_changed_messages') }}",
) }}

{#- Last of the warehouse: a day stands here only when every model of the warehouse has been built and tested with it. -#}
{% for model in [
    'int_email_events', 'int_messages', 'fct_message_responses', 'int_message_outcomes', 'int_site_events', 'int_sessions',
    'int_order_lines', 'int_product_purchases', 'int_product_days', 'fct_refund_lines', 'fct_service_events',
    'int_identity_links', 'int_customer_days', 'int_order_days', 'int_purchase_days', 'fct_order_lines', 'fct_orders',
    'fct_order_attributions', 'fct_messages', 'fct_site_events', 'fct_sessions', 'fct_consents', 'fct_suppressions',
    'dim_identities', 'dim_customers', 'dim_products', 'dim_product_versions', 'dim_contents',
] -%}
-- depends_on: {{ ref(model) }}
{% endfor %}
select
    event_date,
    version
from {{ ref('int_changed_days') }}
where version is not null
