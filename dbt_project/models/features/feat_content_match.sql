with seen as (

    select * from {{ ref('int_content_reads_as_of') }}

),

contents as (

    select * from {{ ref('feat_content') }}

),

interactions as (

    select * from {{ ref('feat_interactions') }}

),

products as (

    select * from {{ ref('dim_products') }}

),

topics as (

    select
        content_id,
        as_of,
        unnest(topics) as topic
    from contents

),

interests as (

    select
        seen.customer_id,
        seen.as_of,
        topics.topic,
        {{ decay(days_between('seen.last_viewed_at', 'seen.as_of'), var('view_half_life_days')) }} as weight
    from seen
    inner join topics on seen.content_id = topics.content_id and seen.as_of = topics.as_of
    union all
    select
        interactions.customer_id,
        interactions.as_of,
        lower(products.category) as topic,
        0.1 * least(interactions.weight, 1) as weight
    from interactions
    inner join products on interactions.product_id = products.product_id
    where products.category is not null

),

interest_by_topic as (

    select
        customer_id,
        as_of,
        topic,
        {{ stable_sum('weight') }} as weight
    from interests
    group by customer_id, as_of, topic

),

scored as (

    select
        interest_by_topic.customer_id,
        topics.content_id,
        topics.as_of,
        {{ stable_sum('interest_by_topic.weight') }} as score
    from interest_by_topic
    inner join topics
        on interest_by_topic.as_of = topics.as_of
        and interest_by_topic.topic = topics.topic
    group by interest_by_topic.customer_id, topics.content_id, topics.as_of

),

ranked as (

    select
        scored.customer_id,
        scored.content_id,
        scored.as_of,
        scored.score,
        row_number() over (
            partition by scored.customer_id, scored.as_of
            order by scored.score desc, contents.views_30d desc, scored.content_id
        ) as nth
    from scored
    inner join contents
        on scored.content_id = contents.content_id
        and scored.as_of = contents.as_of
        and contents.is_available
    left join seen
        on scored.customer_id = seen.customer_id
        and scored.content_id = seen.content_id
        and scored.as_of = seen.as_of
    where seen.customer_id is null and scored.score > 0

)

select
    customer_id,
    content_id,
    as_of,
    score,
    cast(nth as integer) as rank
from ranked
where nth <= {{ var('content_matches') }}
order by as_of, customer_id, nth
