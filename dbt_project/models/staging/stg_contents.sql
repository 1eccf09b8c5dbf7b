with contents as (

    select * from {{ source('raw', 'raw_contents') }}

)

select
    cast(content_id as varchar) as content_id,
    cast(title as varchar) as title,
    cast(kind as varchar) as kind,
    cast(summary as varchar) as summary,
    list_sort(list_distinct(list_filter(
        list_transform(
            regexp_split_to_array(lower(regexp_replace(cast(topics as varchar), '[\[\]"'']', '', 'g')), '[,;|]'),
            lambda topic: trim(topic)
        ),
        lambda topic: topic <> ''
    ))) as topics,
    cast(url as varchar) as url,
    cast(image_url as varchar) as image_url,
    cast(city as varchar) as city,
    cast(published_at as timestamp) as published_at,
    cast(starts_at as timestamp) as starts_at
from contents
