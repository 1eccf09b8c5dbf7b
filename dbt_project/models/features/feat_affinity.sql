with affinities as (

    select * from {{ ref('int_customer_affinity_as_of') }}

)

select
    customer_id,
    kind,
    value,
    as_of,
    weight,
    share,
    rank
from affinities
where rank <= {{ var('affinity_top') }}
order by as_of, customer_id, kind, rank
