{#-
  Bayes over the 24 whole offsets. Prior: where the customers of the same country with a stated zone are, leaning on the
  whole shop. Likelihood: his visits and opens by UTC hour, under the shop's curve of activity by local hour; weakened,
  because one person's habits are no independent draws from that curve.
-#}
with customers as (

    select
        customers.customer_id,
        customers.as_of,
        coalesce(profiles.country, '') as country,
        {{ seconds_between(
            'cast(customers.as_of as timestamp)', local_time('cast(customers.as_of as timestamp)', 'profiles.timezone')
        ) }} / 3600.0 as stated_offset_hours,
        profiles.timezone is not null as is_stated
    from {{ ref('int_customer_as_of') }} as customers
    inner join {{ ref('dim_customers') }} as profiles on customers.customer_id = profiles.customer_id

),

{# Local hours where the zone is stated, UTC where not. -#}
activity as (

    select
        customers.customer_id,
        customers.as_of,
        customers.is_stated,
        cast(send_hours.hour_of_week % 24 as integer) as hour_of_day,
        sum(send_hours.n_opens + send_hours.n_visits) as n
    from {{ ref('feat_send_hours') }} as send_hours
    inner join customers
        on send_hours.customer_id = customers.customer_id
        and send_hours.as_of = customers.as_of
    where send_hours.n_opens + send_hours.n_visits > 0
    group by customers.customer_id, customers.as_of, customers.is_stated, send_hours.hour_of_week % 24

),

hours as (

    select cast(hour_of_day as integer) as hour_of_day
    from (values {% for hour in range(24) %}({{ hour }}){{ ', ' if not loop.last }}{% endfor %}) as hours (hour_of_day)

),

population as (

    select
        as_of,
        sum(n) as n
    from activity
    where is_stated
    group by as_of
    having sum(n) >= {{ var('timezone_min_population') }}

),

by_hour as (

    select
        as_of,
        hour_of_day,
        sum(n) as n
    from activity
    where is_stated
    group by as_of, hour_of_day

),

curve as (

    select
        population.as_of,
        hours.hour_of_day,
        ln((coalesce(by_hour.n, 0) + 1) / (population.n + 24)) as log_share
    from population
    cross join hours
    left join by_hour on population.as_of = by_hour.as_of and hours.hour_of_day = by_hour.hour_of_day

),

stated as (

    select
        as_of,
        country,
        cast((cast(floor(stated_offset_hours + 0.5) as integer) + 35) % 24 - 11 as integer) as offset_hours,
        count(*) as n
    from customers
    where is_stated
    group by as_of, country, offset_hours

),

by_country as (

    select
        as_of,
        country,
        sum(n) as n
    from stated
    group by as_of, country

),

by_offset as (

    select
        as_of,
        offset_hours,
        sum(n) as n
    from stated
    group by as_of, offset_hours

),

in_shop as (

    select
        as_of,
        sum(n) as n
    from by_offset
    group by as_of

),

observed as (

    select
        customer_id,
        as_of,
        sum(n) as n
    from activity
    where not is_stated
    group by customer_id, as_of

),

bases as (

    select
        customers.customer_id,
        customers.as_of,
        customers.country,
        customers.stated_offset_hours,
        case
            when customers.is_stated then 'own'
            when observed.n >= {{ var('timezone_min_observations') }} and population.n is not null then 'activity'
            when customers.country <> '' and by_country.n >= {{ var('timezone_country_min_customers') }} then 'country'
            else 'none'
        end as timezone_basis
    from customers
    left join observed on customers.customer_id = observed.customer_id and customers.as_of = observed.as_of
    left join population on customers.as_of = population.as_of
    left join by_country on customers.as_of = by_country.as_of and customers.country = by_country.country

),

sought as (

    select * from bases where timezone_basis in ('activity', 'country')

),

prior as (

    select
        countries.as_of,
        countries.country,
        hours.hour_of_day - 11 as offset_hours,
        ln((
            coalesce(stated.n, 0)
            + {{ var('timezone_country_prior_customers') }} * (coalesce(by_offset.n, 0) + 1) / (coalesce(in_shop.n, 0) + 24)
        ) / (coalesce(by_country.n, 0) + {{ var('timezone_country_prior_customers') }})) as log_prior
    from (select distinct as_of, country from sought) as countries
    cross join hours
    left join stated
        on countries.as_of = stated.as_of
        and countries.country = stated.country
        and countries.country <> ''
        and hours.hour_of_day - 11 = stated.offset_hours
    left join by_country
        on countries.as_of = by_country.as_of
        and countries.country = by_country.country
        and countries.country <> ''
    left join by_offset on countries.as_of = by_offset.as_of and hours.hour_of_day - 11 = by_offset.offset_hours
    left join in_shop on countries.as_of = in_shop.as_of

),

evidence as (

    select
        sought.customer_id,
        sought.as_of,
        cast((curve.hour_of_day - activity.hour_of_day + 35) % 24 - 11 as integer) as offset_hours,
        {{ stable_sum('activity.n * curve.log_share') }} as log_likelihood
    from sought
    inner join activity on sought.customer_id = activity.customer_id and sought.as_of = activity.as_of
    inner join curve on activity.as_of = curve.as_of
    where sought.timezone_basis = 'activity'
    group by sought.customer_id, sought.as_of, offset_hours

),

scored as (

    select
        sought.customer_id,
        sought.as_of,
        prior.offset_hours,
        prior.log_prior + {{ var('timezone_evidence_weight') }} * coalesce(evidence.log_likelihood, 0) as score,
        row_number() over (
            partition by sought.customer_id, sought.as_of
            order by score desc, abs(prior.offset_hours), prior.offset_hours
        ) as nth
    from sought
    inner join prior on sought.as_of = prior.as_of and sought.country = prior.country
    left join evidence
        on sought.customer_id = evidence.customer_id
        and sought.as_of = evidence.as_of
        and prior.offset_hours = evidence.offset_hours

),

{#- Offsets 23 hours apart are neighbours. #}
inferred as (

    select
        best.customer_id,
        best.as_of,
        best.offset_hours,
        {{ stable_sum('exp(scored.score - best.score)', where='abs(scored.offset_hours - best.offset_hours) in (0, 1, 23)') }}
            / {{ stable_sum('exp(scored.score - best.score)') }} as confidence
    from scored as best
    inner join scored on best.customer_id = scored.customer_id and best.as_of = scored.as_of
    where best.nth = 1
    group by best.customer_id, best.as_of, best.offset_hours

)

select
    bases.customer_id,
    bases.as_of,
    case
        when bases.timezone_basis = 'own' then bases.stated_offset_hours
        else cast(inferred.offset_hours as double)
    end as utc_offset_hours_inferred,
    case bases.timezone_basis when 'own' then 1.0 when 'none' then 0.0 else inferred.confidence end as timezone_confidence,
    bases.timezone_basis
from bases
left join inferred on bases.customer_id = inferred.customer_id and bases.as_of = inferred.as_of
