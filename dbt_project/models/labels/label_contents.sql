with customers as (

    select * from {{ ref('int_customer_as_of') }}
    where has_behaviour
        and {{ label_window_is_over(var('label_content_days')) }}

),

site_events as (

    select * from {{ ref('fct_site_events') }}
    where event = 'Content Viewed' and content_id is not null

)

select
    customers.customer_id,
    site_events.content_id,
    customers.as_of,
    cast(count(*) as integer) as n_views
from site_events
inner join customers
    on site_events.customer_id = customers.customer_id
    and site_events.occurred_at >= customers.as_of
    and site_events.known_at < {{ days_after('customers.as_of', var('label_content_days')) }}
group by customers.customer_id, site_events.content_id, customers.as_of
order by customers.as_of, customers.customer_id, site_events.content_id
