with customers as (

    select * from {{ ref('int_customer_as_of') }}
    where has_behaviour

),

events as (

    select
        customer_id,
        product_id,
        event,
        occurred_at,
        lower({{ json_text('properties', 'sentiment') }}) as sentiment,
        lower({{ json_text('properties', 'topic') }}) as topic,
        try_cast({{ json_text('properties', 'rating') }} as double) as rating
    from {{ ref('stg_events') }}
    where event in ('Support Contacted', 'Review Submitted')

),

judged as (

    {# What the shop says of the mood goes before a rating, a rating before the topic. #}
    select
        customer_id,
        product_id,
        case event when 'Support Contacted' then 'support' else 'review' end as kind,
        occurred_at,
        case
            when sentiment in ('negative', 'very_negative') then true
            when sentiment in ('positive', 'very_positive') then false
            when rating <= {{ var('bad_service_max_rating') }} then true
            when rating is null and sentiment is null and event = 'Support Contacted'
                and topic in ({% for topic in var('bad_service_topics') %}'{{ topic }}'{{ ', ' if not loop.last }}{% endfor %})
                then true
            when rating > {{ var('good_service_min_rating') }} - 0.001 then false
        end as is_bad
    from events

),

known as (

    select
        customers.customer_id,
        customers.as_of,
        judged.product_id,
        judged.kind,
        judged.occurred_at,
        judged.is_bad
    from judged
    inner join customers
        on judged.customer_id = customers.customer_id
        and judged.occurred_at < customers.as_of
        and judged.occurred_at > {{ days_before(
            'customers.as_of', [var('trigger_bad_service_days'), var('promotion_pause_days')] | max
        ) }}
    where judged.is_bad is not null

),

latest as (

    {# The last word counts: a good one after a bad one settles it. #}
    select *
    from known
    qualify row_number() over (
        partition by customer_id, as_of
        order by occurred_at desc, is_bad desc, kind, product_id
    ) = 1

)

select
    customer_id,
    as_of,
    kind,
    product_id,
    occurred_at as bad_service_at,
    {{ days_after('occurred_at', var('promotion_pause_days')) }} as promotion_paused_until
from latest
where is_bad
