with customers as (

    select * from {{ ref('int_customer_as_of') }}

),

people as (

    select * from {{ ref('stg_customers') }}
    where birth_date is not null

),

years as (

    select
        customers.customer_id,
        customers.as_of,
        people.birth_date,
        unnest([
            cast(extract(year from customers.as_of) as integer),
            cast(extract(year from customers.as_of) as integer) + 1
        ]) as birthday_year
    from customers
    inner join people on customers.customer_id = people.customer_id

),

birthdays as (

    {# The anniversary by adding whole years: 29 February falls on the 28th where the year has none. #}
    select
        customer_id,
        as_of,
        cast({{ dbt.dateadd(
            'year', 'birthday_year - cast(extract(year from birth_date) as integer)', 'birth_date'
        ) }} as date) as birthday
    from years

)

select
    customer_id,
    as_of,
    'birthday' as trigger_key,
    {{ days_before('birthday', var('trigger_birthday_days') - 1) }} as triggered_at,
    {{ days_after('birthday', 1) }} as expires_at,
    cast([] as varchar[]) as product_ids,
    {{ json_object([['birthday', 'cast(birthday as varchar)']]) }} as context
from birthdays
where birthday >= as_of
    and birthday < {{ days_after('as_of', var('trigger_birthday_days')) }}
order by as_of, customer_id
