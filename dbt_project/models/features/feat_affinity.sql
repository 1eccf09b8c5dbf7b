with interactions as (

    select * from {{ ref('feat_interactions') }}

),

products as (

    select * from {{ ref('dim_products') }}

),

reads as (

    select * from {{ ref('int_content_reads_as_of') }}

),

topics as (

    select
        content_id,
        unnest(topics) as topic
    from {{ ref('dim_contents') }}

),

shelves as (

    select
        interactions.customer_id,
        interactions.as_of,
        products.category,
        products.subcategory,
        products.brand,
        grouping(products.category) = 0 as is_category,
        grouping(products.subcategory) = 0 as is_subcategory,
        {{ stable_sum('interactions.weight') }} as weight
    from interactions
    inner join products on interactions.product_id = products.product_id
    group by grouping sets (
        (interactions.customer_id, interactions.as_of, products.category),
        (interactions.customer_id, interactions.as_of, products.subcategory),
        (interactions.customer_id, interactions.as_of, products.brand)
    )

),

weights as (

    select
        customer_id,
        as_of,
        case when is_category then 'category' when is_subcategory then 'subcategory' else 'brand' end as kind,
        case when is_category then category when is_subcategory then subcategory else brand end as value,
        weight
    from shelves
    union all
    select
        reads.customer_id,
        reads.as_of,
        'topic' as kind,
        topics.topic as value,
        {{ stable_sum('reads.read_weight') }} as weight
    from reads
    inner join topics on reads.content_id = topics.content_id
    group by reads.customer_id, reads.as_of, topics.topic

),

known as (

    select * from weights where value is not null and weight > 0

),

ranked as (

    select
        customer_id,
        kind,
        value,
        as_of,
        weight,
        {# Over all rows of the kind; in the order of the rank, so that both are made in one pass. #}
        weight / {{ stable_sum('weight', over='by_weight rows between unbounded preceding and unbounded following') }} as share,
        cast(row_number() over by_weight as integer) as rank
    from known
    window by_weight as (partition by customer_id, as_of, kind order by weight desc, value)

)

select
    customer_id,
    kind,
    value,
    as_of,
    weight,
    share,
    rank
from ranked
where rank <= {{ var('affinity_top') }}
order by as_of, customer_id, kind, rank
