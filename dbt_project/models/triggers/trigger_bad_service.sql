with bad_service as (

    select * from {{ ref('int_bad_service_as_of') }}

)

select
    customer_id,
    as_of,
    'bad_service' as trigger_key,
    bad_service_at as triggered_at,
    {{ days_after('bad_service_at', var('trigger_bad_service_days')) }} as expires_at,
    case when product_id is null then cast([] as varchar[]) else [product_id] end as product_ids,
    {{ json_object([['kind', 'kind']]) }} as context
from bad_service
where {{ days_after('bad_service_at', var('trigger_bad_service_days')) }} > as_of
order by as_of, customer_id
