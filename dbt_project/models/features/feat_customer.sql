with customers as (

    select * from {{ ref('int_customer_as_of') }}

),

profiles as (

    select * from {{ ref('dim_customers') }}

),

orders as (

    select * from {{ ref('int_customer_orders_as_of') }}

),

lifecycle as (

    select * from {{ ref('int_customer_lifecycle_as_of') }}

),

visits as (

    select * from {{ ref('int_customer_visits_as_of') }}

),

engagement as (

    select * from {{ ref('int_customer_engagement_as_of') }}

),

offers as (

    select * from {{ ref('int_customer_offers_as_of') }}

),

interests as (

    select * from {{ ref('int_customer_interests_as_of') }}

),

timezones as (

    select * from {{ ref('int_customer_timezones_as_of') }}

),

hours as (

    select * from {{ ref('int_customer_hours_as_of') }}

),

tastes as (

    select * from {{ ref('int_customer_tastes_as_of') }}

),

service as (

    select service.*
    from {{ ref('int_customer_service_as_of') }} as service
    inner join customers
        on service.customer_id = customers.customer_id
        and service.as_of = customers.as_of
        and customers.has_behaviour

)

select
    customers.customer_id,
    customers.as_of,
    customers.first_seen_at,
    {{ days_between('customers.first_seen_at', 'customers.as_of') }} as tenure_days,
    coalesce(orders.n_orders, 0) as n_orders,
    coalesce(orders.n_orders_7d, 0) as n_orders_7d,
    coalesce(orders.n_orders_30d, 0) as n_orders_30d,
    coalesce(orders.n_orders_90d, 0) as n_orders_90d,
    coalesce(orders.n_orders_180d, 0) as n_orders_180d,
    coalesce(orders.n_orders_365d, 0) as n_orders_365d,
    coalesce(orders.n_order_days, 0) as n_order_days,
    coalesce(orders.order_days_decayed_fast, 0) as order_days_decayed_fast,
    coalesce(orders.order_days_decayed_slow, 0) as order_days_decayed_slow,
    coalesce(orders.n_units, 0) as n_units,
    coalesce(orders.revenue_total, 0) as revenue_total,
    coalesce(orders.revenue_7d, 0) as revenue_7d,
    coalesce(orders.revenue_30d, 0) as revenue_30d,
    coalesce(orders.revenue_90d, 0) as revenue_90d,
    coalesce(orders.revenue_180d, 0) as revenue_180d,
    coalesce(orders.revenue_365d, 0) as revenue_365d,
    coalesce(orders.revenue_decayed_fast, 0) as revenue_decayed_fast,
    coalesce(orders.revenue_decayed_slow, 0) as revenue_decayed_slow,
    coalesce(orders.margin_total, 0) as margin_total,
    coalesce(orders.margin_365d, 0) as margin_365d,
    orders.avg_order_value,
    orders.first_order_at,
    orders.last_order_at,
    lifecycle.days_since_first_order,
    lifecycle.days_since_last_order,
    coalesce(orders.repeat_days, 0) as repeat_days,
    coalesce(orders.recency_days, 0) as recency_days,
    coalesce(orders.age_days, 0) as age_days,
    orders.mean_gap_days,
    orders.std_gap_days,
    orders.median_gap_days,
    orders.std_gap_days / orders.mean_gap_days as gap_variation,
    lifecycle.days_since_last_order / orders.mean_gap_days as gaps_since_last_order,
    coalesce(visits.n_sessions_7d, 0) as n_sessions_7d,
    coalesce(visits.n_sessions_30d, 0) as n_sessions_30d,
    coalesce(visits.n_sessions_90d, 0) as n_sessions_90d,
    coalesce(visits.n_product_views_7d, 0) as n_product_views_7d,
    coalesce(visits.n_product_views_30d, 0) as n_product_views_30d,
    coalesce(visits.n_carts_30d, 0) as n_carts_30d,
    coalesce(visits.n_searches_30d, 0) as n_searches_30d,
    coalesce(visits.n_content_views_90d, 0) as n_content_views_90d,
    {{ days_between('visits.last_visit_at', 'customers.as_of') }} as days_since_last_session,
    {%- for days in [7, 30, 90, 180] %}
    coalesce(engagement.n_emails_{{ days }}d, 0) as n_emails_{{ days }}d,
    coalesce(engagement.n_human_opens_{{ days }}d, 0) as n_human_opens_{{ days }}d,
    coalesce(engagement.n_clicks_{{ days }}d, 0) as n_clicks_{{ days }}d,
    engagement.n_human_opens_{{ days }}d / nullif(engagement.n_emails_{{ days }}d, 0) as open_rate_{{ days }}d,
    engagement.n_clicks_{{ days }}d / nullif(engagement.n_emails_{{ days }}d, 0) as click_rate_{{ days }}d,
    {%- endfor %}
    {%- for kind, answers in [('open', 'n_human_opens'), ('click', 'n_clicks')] %}
    engagement.{{ answers }}_30d / nullif(engagement.n_emails_30d, 0)
        - engagement.{{ answers }}_90d / nullif(engagement.n_emails_90d, 0) as {{ kind }}_rate_trend,
    {%- endfor %}
    engagement.machine_open_share_180d,
    {{ days_between('engagement.last_human_open_at', 'customers.as_of') }} as days_since_last_open,
    {{ days_between('engagement.last_click_at', 'customers.as_of') }} as days_since_last_click,
    orders.discount_share,
    orders.mean_discount_depth,
    tastes.price_position,
    coalesce(offers.n_offers_365d, 0) as n_offers_365d,
    coalesce(offers.n_offers_used_365d, 0) as n_offers_used_365d,
    offers.n_offers_used_365d / nullif(offers.n_offers_365d, 0) as offer_use_rate_365d,
    case when orders.n_orders > 0 then coalesce(offers.n_coupon_orders, 0) / orders.n_orders end as coupon_order_share,
    {%- for days in [30, 90, 180] %}
    coalesce(orders.n_refunds_{{ days }}d, 0) as n_refunds_{{ days }}d,
    {%- endfor %}
    coalesce(orders.n_refunds_365d, 0) as n_refunds_365d,
    orders.refund_rate,
    {%- for days in [90, 180, 365] %}
    orders.refund_rate_{{ days }}d,
    {%- endfor %}
    coalesce(service.n_support_7d, 0) as n_support_7d,
    coalesce(service.n_support_30d, 0) as n_support_30d,
    coalesce(service.n_support_90d, 0) as n_support_90d,
    {{ days_between('service.last_support_at', 'customers.as_of') }} as days_since_last_support,
    service.mean_rating,
    service.mean_rating_180d,
    service.last_rating_180d,
    coalesce(service.n_bad_experiences_30d > 0, false) as has_bad_experience_30d,
    visits.mobile_share,
    {%- for place, source, counts in [('site', 'visits', 'sessions'), ('mail', 'engagement', 'answers')] %}
    {%- set known = 'nullif(' ~ source ~ '.n_mobile_' ~ counts ~ ' + ' ~ source ~ '.n_tablet_' ~ counts ~ ' + '
        ~ source ~ '.n_desktop_' ~ counts ~ ', 0)' %}
    {%- for device in ['mobile', 'tablet', 'desktop'] %}
    {{ source }}.n_{{ device }}_{{ counts }} / {{ known }} as {{ place }}_{{ device }}_share,
    {%- endfor %}
    {{ preferred_device(
        source ~ '.n_mobile_' ~ counts, source ~ '.n_tablet_' ~ counts, source ~ '.n_desktop_' ~ counts
    ) }} as {{ place }}_device,
    {%- endfor %}
    hours.usual_hour,
    hours.usual_weekday,
    hours.usual_hour_share,
    coalesce(hours.n_activity, 0) as n_activity_365d,
    timezones.utc_offset_hours_inferred,
    timezones.timezone_confidence,
    timezones.timezone_basis,
    coalesce(tastes.n_categories, 0) as n_categories,
    tastes.top_category,
    tastes.top_brand,
    interests.top_topic,
    interests.category_affinity_share,
    interests.category_entropy,
    lifecycle.lifecycle_stage,
    profiles.signup_source,
    profiles.country,
    profiles.company_size is not null or profiles.industry is not null or profiles.job_role is not null as is_business,
    profiles.company_size,
    profiles.industry,
    profiles.job_role,
    customers.has_behaviour
from customers
inner join profiles on customers.customer_id = profiles.customer_id
inner join lifecycle on customers.customer_id = lifecycle.customer_id and customers.as_of = lifecycle.as_of
left join orders on customers.customer_id = orders.customer_id and customers.as_of = orders.as_of
left join visits on customers.customer_id = visits.customer_id and customers.as_of = visits.as_of
left join engagement on customers.customer_id = engagement.customer_id and customers.as_of = engagement.as_of
left join offers on customers.customer_id = offers.customer_id and customers.as_of = offers.as_of
left join interests on customers.customer_id = interests.customer_id and customers.as_of = interests.as_of
inner join timezones on customers.customer_id = timezones.customer_id and customers.as_of = timezones.as_of
left join hours on customers.customer_id = hours.customer_id and customers.as_of = hours.as_of
left join tastes on customers.customer_id = tastes.customer_id and customers.as_of = tastes.as_of
left join service on customers.customer_id = service.customer_id and customers.as_of = service.as_of
order by customers.as_of, customers.customer_id
