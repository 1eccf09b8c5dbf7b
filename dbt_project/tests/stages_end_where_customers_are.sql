{{ config(tags=["features"], meta={"dagster": {"ref": {"name": "int_customer_stages_as_of"}}}) }}

-- The history of stages ends, for every customer, in the stage he is in.
with lifecycle as (

    select * from {{ ref('int_customer_lifecycle_as_of') }}

),

stages as (

    select * from {{ ref('int_customer_stages_as_of') }} where is_current

)

select
    lifecycle.customer_id,
    lifecycle.as_of,
    lifecycle.lifecycle_stage,
    stages.lifecycle_stage as stage_in_history
from lifecycle
left join stages on lifecycle.customer_id = stages.customer_id and lifecycle.as_of = stages.as_of
where stages.lifecycle_stage is distinct from lifecycle.lifecycle_stage
