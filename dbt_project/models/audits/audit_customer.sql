with customers as (

    select * from {{ ref('int_customer_as_of') }}

),

attributes as (

    select * from {{ ref('stg_customer_attributes') }}

),

aged as (

    select
        customers.customer_id,
        customers.as_of,
        attributes.gender,
        date_part('year', age(cast(customers.as_of as timestamp), cast(attributes.birth_date as timestamp))) as age_years
    from customers
    inner join attributes on customers.customer_id = attributes.customer_id

)

select
    customer_id,
    as_of,
    gender,
    case
        when age_years < 0 or age_years > 120 then null
        when age_years < 18 then 'under 18'
        when age_years < 25 then '18-24'
        when age_years < 35 then '25-34'
        when age_years < 45 then '35-44'
        when age_years < 55 then '45-54'
        when age_years < 65 then '55-64'
        when age_years >= 65 then '65 and over'
    end as age_band
from aged
order by as_of, customer_id
