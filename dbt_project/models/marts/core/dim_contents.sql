with contents as (

    select * from {{ ref('stg_contents') }}

)

select
    content_id,
    title,
    kind,
    summary,
    topics,
    url,
    image_url,
    city,
    published_at,
    starts_at
from contents
