with customers as (

    select * from {{ ref('int_customer_as_of') }}
    where has_behaviour

),

judged as (

    select * from {{ ref('fct_service_events') }}
    where is_bad is not null

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
