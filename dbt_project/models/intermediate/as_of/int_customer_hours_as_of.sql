with timezones as (

    select * from {{ ref('int_customer_timezones_as_of') }}
    where timezone_basis <> 'none'

),

send_hours as (

    select * from {{ ref('feat_send_hours') }}
    where n_opens + n_visits > 0

),

totals as (

    select
        customer_id,
        as_of,
        sum(n_opens + n_visits) as n
    from send_hours
    group by customer_id, as_of

),

{#- Hours are local already where the zone is stated, UTC where not. #}
activity as (

    select
        send_hours.customer_id,
        send_hours.as_of,
        cast(case
            when timezones.timezone_basis = 'own' then send_hours.hour_of_week
            else (send_hours.hour_of_week + cast(timezones.utc_offset_hours_inferred as integer) + 168) % 168
        end as integer) as hour_of_week,
        send_hours.n_opens + send_hours.n_visits as n
    from send_hours
    inner join timezones
        on send_hours.customer_id = timezones.customer_id
        and send_hours.as_of = timezones.as_of
    inner join totals
        on send_hours.customer_id = totals.customer_id
        and send_hours.as_of = totals.as_of
        and totals.n >= {{ var('usual_hours_min_observations') }}

),

{#- Each hour speaks for itself and its two neighbours. #}
hours as (

    select
        activity.customer_id,
        activity.as_of,
        (activity.hour_of_week % 24 + shifts.shift + 24) % 24 as hour_of_day,
        coalesce(sum(activity.n) filter (where shifts.shift = 0), 0) as n,
        sum(activity.n) as n_around
    from activity
    cross join (values (-1), (0), (1)) as shifts (shift)
    group by activity.customer_id, activity.as_of, (activity.hour_of_week % 24 + shifts.shift + 24) % 24

),

best_hours as (

    select
        *,
        row_number() over (partition by customer_id, as_of order by n desc, n_around desc, hour_of_day) as nth
    from hours

),

weekdays as (

    select
        customer_id,
        as_of,
        floor(hour_of_week / 24) + 1 as weekday,
        row_number() over (
            partition by customer_id, as_of order by sum(n) desc, floor(hour_of_week / 24)
        ) as nth
    from activity
    group by customer_id, as_of, floor(hour_of_week / 24)

)

select
    totals.customer_id,
    totals.as_of,
    cast(best_hours.hour_of_day as smallint) as usual_hour,
    cast(weekdays.weekday as smallint) as usual_weekday,
    best_hours.n_around / totals.n as usual_hour_share,
    cast(totals.n as integer) as n_activity
from totals
left join best_hours
    on totals.customer_id = best_hours.customer_id
    and totals.as_of = best_hours.as_of
    and best_hours.nth = 1
left join weekdays
    on totals.customer_id = weekdays.customer_id
    and totals.as_of = weekdays.as_of
    and weekdays.nth = 1
