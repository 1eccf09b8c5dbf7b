with reads as (

    select * from {{ ref('int_content_reads_as_of') }}

)

select
    customer_id,
    content_id,
    as_of,
    n_views,
    last_viewed_at,
    read_weight,
    slow_read_weight
from reads
order by as_of, customer_id, content_id
