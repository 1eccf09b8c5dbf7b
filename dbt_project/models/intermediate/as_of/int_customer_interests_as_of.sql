with affinities as (

    select * from {{ ref('feat_affinity') }}

)

select
    customer_id,
    as_of,
    max(value) filter (where kind = 'topic' and rank = 1) as top_topic,
    max(share) filter (where kind = 'category' and rank = 1) as category_affinity_share,
    {{ stable_sum('-share * log2(share)', where="kind = 'category'") }} as category_entropy
from affinities
group by customer_id, as_of
