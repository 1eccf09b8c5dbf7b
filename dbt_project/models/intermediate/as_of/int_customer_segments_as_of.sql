with dates as (

    select * from {{ ref('int_as_of_dates') }}

),

customers as (

    select * from {{ ref('int_customer_as_of') }}
    where has_behaviour

),

stages as (

    select stages.*
    from {{ ref('int_customer_stages_as_of') }} as stages
    inner join customers
        on stages.customer_id = customers.customer_id
        and stages.as_of = customers.as_of

),

payments as (

    select customer_id, revenue as amount, occurred_at from {{ ref('fct_orders') }}
    union all
    select customer_id, -amount, occurred_at from {{ ref('fct_refund_lines') }}

),

{#- The snapshot itself and the month starts before it. #}
dates_of_observation as (

    select as_of, as_of as observed_on from dates
    union
    select
        dates.as_of,
        cast({{ dbt.date_trunc('month', 'dates.as_of') }} - to_months(months.n) as date) as observed_on
    from dates
    cross join (
        values {% for n in range(var('segment_history_months')) %}({{ n }}){{ ', ' if not loop.last }}{% endfor %}
    ) as months (n)

),

points as (

    select
        *,
        lag(observed_on) over (partition by as_of order by observed_on) as observed_before
    from dates_of_observation

),

spent as (

    select
        payments.customer_id,
        points.as_of,
        points.observed_on,
        {{ stable_sum('payments.amount') }} as revenue
    from payments
    inner join points
        on payments.occurred_at < points.observed_on
        and payments.occurred_at >= {{ days_before('points.observed_on', 365) }}
    inner join customers
        on payments.customer_id = customers.customer_id
        and points.as_of = customers.as_of
    group by payments.customer_id, points.as_of, points.observed_on
    having {{ stable_sum('payments.amount') }} > 0

),

ranked as (

    select
        *,
        count(*) over (partition by as_of, observed_on) as n,
        rank() over by_revenue as lowest_rank,
        round(cume_dist() over by_revenue * count(*) over (partition by as_of, observed_on)) as highest_rank
    from spent
    window by_revenue as (partition by as_of, observed_on order by revenue)

),

{#- Equal revenue shares a position, so a tie never falls on both sides of a border. #}
placed as (

    select
        *,
        ((lowest_rank + highest_rank) / 2 - 0.5) / n as position
    from ranked

),

observed as (

    select
        stages.customer_id,
        points.as_of,
        points.observed_on,
        stages.lifecycle_stage,
        case
            when stages.lifecycle_stage = 'prospect' then null
            when placed.position >= 1 - {{ var('segment_high_share') }} then 'high'
            when placed.position >= {{ var('segment_low_share') }} then 'medium'
            else 'low'
        end as spend_tier
    from stages
    inner join points
        on stages.as_of = points.as_of
        and (stages.since is null or stages.since <= points.observed_on)
        and (stages.until is null or stages.until > points.observed_on)
        {#- A prospect's segment does not change, so he is observed once. #}
        and (
            stages.lifecycle_stage <> 'prospect'
            or points.observed_before is null
            or points.observed_before < stages.since
        )
    left join placed
        on stages.customer_id = placed.customer_id
        and points.as_of = placed.as_of
        and points.observed_on = placed.observed_on

),

named as (

    select
        *,
        lifecycle_stage || coalesce(', ' || spend_tier || ' spend', '') as segment
    from observed

)

select
    customer_id,
    as_of,
    observed_on,
    lifecycle_stage,
    spend_tier,
    segment
from named
{# Only what has changed since the observation before. #}
qualify segment is distinct from lag(segment) over (partition by customer_id, as_of order by observed_on)
