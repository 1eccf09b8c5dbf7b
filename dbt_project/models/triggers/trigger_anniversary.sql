with customers as (

    select * from {{ ref('int_customer_as_of') }}

),

profiles as (

    select * from {{ ref('dim_customers') }}

),

members as (

    select
        customers.customer_id,
        customers.as_of,
        cast(profiles.signed_up_at as date) as signed_up_on
    from customers
    inner join profiles on customers.customer_id = profiles.customer_id
    where profiles.signed_up_at < customers.as_of

),

years as (

    select
        *,
        unnest([
            cast(extract(year from as_of) as integer),
            cast(extract(year from as_of) as integer) + 1
        ]) - cast(extract(year from signed_up_on) as integer) as n_years
    from members

),

anniversaries as (

    {# By adding whole years: 29 February falls on the 28th where the year has none. #}
    select
        customer_id,
        as_of,
        n_years,
        cast({{ dbt.dateadd('year', 'n_years', 'signed_up_on') }} as date) as anniversary
    from years
    where n_years >= 1

)

select
    customer_id,
    as_of,
    'anniversary' as trigger_key,
    {{ days_before('anniversary', var('trigger_anniversary_days') - 1) }} as triggered_at,
    {{ days_after('anniversary', 1) }} as expires_at,
    cast([] as varchar[]) as product_ids,
    {{ json_object([['anniversary', 'cast(anniversary as varchar)'], ['n_years', 'n_years']]) }} as context
from anniversaries
where anniversary >= as_of
    and anniversary < {{ days_after('as_of', var('trigger_anniversary_days')) }}
order by as_of, customer_id
