with customers as (

    select * from {{ ref('int_customer_as_of') }}

),

profiles as (

    select * from {{ ref('dim_customers') }}

),

welcomed as (

    select
        customers.customer_id,
        customers.as_of,
        coalesce(
            case when profiles.signed_up_at < customers.as_of then profiles.signed_up_at end,
            customers.first_seen_at
        ) as joined_at,
        profiles.signup_source
    from customers
    inner join profiles on customers.customer_id = profiles.customer_id

)

select
    customer_id,
    as_of,
    'welcome' as trigger_key,
    joined_at as triggered_at,
    {{ days_after('joined_at', var('trigger_welcome_days')) }} as expires_at,
    cast([] as varchar[]) as product_ids,
    {{ json_object([
        ['days_since_joining', 'cast(floor(' ~ days_between('joined_at', 'as_of') ~ ') as integer)'],
        ['signup_source', 'signup_source'],
    ]) }} as context
from welcomed
where {{ days_after('joined_at', var('trigger_welcome_days')) }} > as_of
order by as_of, customer_id
