{#-
  Between two order days a stage changes only at dates known from the rules: the day after the order, when he is no longer
  new, when he is at risk, when he has lapsed. So the history follows from the order days, without snapshots.
-#}
with customers as (

    select * from {{ ref('int_customer_as_of') }}

),

order_days as (

    select
        customer_id,
        order_date,
        min(occurred_at) as first_order_at,
        max(occurred_at) as last_order_at
    from {{ ref('fct_orders') }}
    where customer_id is not null
    group by customer_id, order_date

),

numbered as (

    select
        customer_id,
        order_date,
        last_order_at,
        row_number() over order_of_days as n_order_days,
        first_value(first_order_at) over order_of_days as first_order_at,
        first_value(order_date) over order_of_days as first_order_date,
        lead(order_date) over order_of_days as next_order_date
    from order_days
    window order_of_days as (partition by customer_id order by order_date)

),

paced as (

    select
        *,
        cast(order_date - first_order_date as double) / nullif(n_order_days - 1, 0) as mean_gap_days
    from numbered

),

candidates as (

    select
        *,
        unnest([
            order_date + 1,
            {{ first_date_more_than(var('new_customer_days'), 'first_order_at') }},
            {{ first_date_more_than(at_risk_after_days('mean_gap_days'), 'last_order_at') }},
            {{ first_date_more_than(lapsed_after_days('mean_gap_days'), 'last_order_at') }}
        ]) as since
    from paced

),

staged as (

    select distinct
        customer_id,
        {{ lifecycle_stage(
            'n_order_days', days_between('first_order_at', 'since'), days_between('last_order_at', 'since'), 'mean_gap_days'
        ) }} as lifecycle_stage,
        since
    from candidates
    where since > order_date and (next_order_date is null or since <= next_order_date)

),

compared as (

    select
        *,
        lag(lifecycle_stage) over (partition by customer_id order by since) as earlier_stage
    from staged

),

changes as (

    select * from compared where earlier_stage is null or earlier_stage <> lifecycle_stage

),

as_buyer as (

    select
        customers.customer_id,
        customers.as_of,
        changes.lifecycle_stage,
        changes.since
    from changes
    inner join customers
        on changes.customer_id = customers.customer_id
        and changes.since <= customers.as_of
        and customers.has_behaviour

),

became_buyer as (

    select
        customer_id,
        as_of,
        min(since) as since
    from as_buyer
    group by customer_id, as_of

),

as_prospect as (

    select
        customers.customer_id,
        customers.as_of,
        'prospect' as lifecycle_stage,
        cast(customers.first_seen_at as date) + 1 as since
    from customers
    left join became_buyer
        on customers.customer_id = became_buyer.customer_id
        and customers.as_of = became_buyer.as_of
    where became_buyer.since is null or cast(customers.first_seen_at as date) + 1 < became_buyer.since

),

stages as (

    select * from as_buyer
    union all
    select * from as_prospect

)

select
    customer_id,
    as_of,
    cast(row_number() over stages_of_customer as integer) as nth,
    lifecycle_stage,
    since,
    lead(since) over stages_of_customer as until,
    lead(since) over stages_of_customer is null as is_current
from stages
window stages_of_customer as (partition by customer_id, as_of order by since nulls first)
