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

mail as (

    select * from {{ ref('int_customer_mail_as_of') }}

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
    coalesce(orders.n_orders_30d, 0) as n_orders_30d,
    coalesce(orders.n_orders_90d, 0) as n_orders_90d,
    coalesce(orders.n_orders_365d, 0) as n_orders_365d,
    coalesce(orders.n_order_days, 0) as n_order_days,
    coalesce(orders.n_units, 0) as n_units,
    coalesce(orders.revenue_total, 0) as revenue_total,
    coalesce(orders.revenue_30d, 0) as revenue_30d,
    coalesce(orders.revenue_90d, 0) as revenue_90d,
    coalesce(orders.revenue_365d, 0) as revenue_365d,
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
    coalesce(visits.n_sessions_7d, 0) as n_sessions_7d,
    coalesce(visits.n_sessions_30d, 0) as n_sessions_30d,
    coalesce(visits.n_sessions_90d, 0) as n_sessions_90d,
    coalesce(visits.n_product_views_7d, 0) as n_product_views_7d,
    coalesce(visits.n_product_views_30d, 0) as n_product_views_30d,
    coalesce(visits.n_carts_30d, 0) as n_carts_30d,
    coalesce(visits.n_searches_30d, 0) as n_searches_30d,
    coalesce(visits.n_content_views_90d, 0) as n_content_views_90d,
    {{ days_between('visits.last_visit_at', 'customers.as_of') }} as days_since_last_session,
    coalesce(mail.n_emails_30d, 0) as n_emails_30d,
    coalesce(mail.n_emails_90d, 0) as n_emails_90d,
    coalesce(mail.n_human_opens_90d, 0) as n_human_opens_90d,
    coalesce(mail.n_clicks_90d, 0) as n_clicks_90d,
    mail.n_human_opens_90d / nullif(mail.n_emails_90d, 0) as open_rate_90d,
    mail.n_clicks_90d / nullif(mail.n_emails_90d, 0) as click_rate_90d,
    {{ days_between('mail.last_human_open_at', 'customers.as_of') }} as days_since_last_open,
    {{ days_between('mail.last_click_at', 'customers.as_of') }} as days_since_last_click,
    orders.discount_share,
    orders.mean_discount_depth,
    tastes.price_position,
    coalesce(orders.n_refunds_365d, 0) as n_refunds_365d,
    orders.refund_rate,
    coalesce(service.n_support_30d, 0) as n_support_30d,
    service.mean_rating,
    visits.mobile_share,
    coalesce(tastes.n_categories, 0) as n_categories,
    tastes.top_category,
    tastes.top_brand,
    lifecycle.lifecycle_stage,
    profiles.signup_source,
    profiles.country,
    customers.has_behaviour
from customers
inner join profiles on customers.customer_id = profiles.customer_id
inner join lifecycle on customers.customer_id = lifecycle.customer_id and customers.as_of = lifecycle.as_of
left join orders on customers.customer_id = orders.customer_id and customers.as_of = orders.as_of
left join visits on customers.customer_id = visits.customer_id and customers.as_of = visits.as_of
left join mail on customers.customer_id = mail.customer_id and customers.as_of = mail.as_of
left join tastes on customers.customer_id = tastes.customer_id and customers.as_of = tastes.as_of
left join service on customers.customer_id = service.customer_id and customers.as_of = service.as_of
order by customers.as_of, customers.customer_id
