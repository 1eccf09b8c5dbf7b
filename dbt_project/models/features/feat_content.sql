with dates as (

    select * from {{ ref('int_as_of_dates') }}

),

contents as (

    select * from {{ ref('dim_contents') }}

),

site_events as (

    select * from {{ ref('fct_site_events') }}

),

products as (

    select * from {{ ref('dim_products') }}

),

shelves as (

    select lower(category) as topic, is_sensitive from products
    union all
    select lower(subcategory) as topic, is_sensitive from products

),

sensitive_topics as (

    select topic
    from shelves
    where topic is not null
    group by topic
    having 2 * count(*) filter (where is_sensitive) > count(*)

),

views as (

    select
        site_events.content_id,
        dates.as_of,
        count(*) as views_30d
    from site_events
    inner join dates
        on site_events.occurred_at < dates.as_of
        and site_events.occurred_at >= {{ days_before('dates.as_of', 30) }}
    where site_events.event = 'Content Viewed' and site_events.content_id is not null
    group by site_events.content_id, dates.as_of

)

select
    contents.content_id,
    dates.as_of,
    contents.title,
    contents.kind,
    contents.topics,
    contents.url,
    contents.published_at,
    contents.starts_at,
    cast(coalesce(views.views_30d, 0) as integer) as views_30d,
    coalesce(contents.published_at < dates.as_of, true)
        and coalesce(contents.starts_at >= {{ days_after('dates.as_of', 1) }}, true) as is_available,
    coalesce(list_has_any(contents.topics, (select list(topic order by topic) from sensitive_topics)), false) as is_sensitive
from contents
cross join dates
left join views on contents.content_id = views.content_id and dates.as_of = views.as_of
order by dates.as_of, contents.content_id
