with orders as (

    select * from {{ ref('fct_orders') }}

),

responses as (

    select * from {{ ref('fct_message_responses') }}
    where kind in ('open', 'click') and not is_machine and message_id is not null

),

first_moments as (

    select
        order_id,
        customer_id,
        {{ stable_sum('revenue') }} as revenue,
        min(occurred_at) as ordered_at
    from orders
    where customer_id is not null
    group by order_id, customer_id

),

touches as (

    select
        first_moments.*,
        responses.message_id,
        responses.kind as touch_kind,
        responses.occurred_at as touched_at,
        row_number() over (
            partition by first_moments.order_id, first_moments.customer_id
            order by responses.occurred_at desc, responses.event_id
        ) as nth_from_last
    from first_moments
    inner join responses
        on first_moments.customer_id = responses.customer_id
        and responses.known_at <= first_moments.ordered_at
        and responses.occurred_at >= {{ days_before('first_moments.ordered_at', var('attribution_days')) }}

)

select
    order_id,
    customer_id,
    message_id,
    touch_kind,
    revenue,
    touched_at,
    ordered_at
from touches
where nth_from_last = 1
