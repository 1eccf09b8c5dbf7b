with links as (

    select * from {{ ref('int_identity_links') }}

),

responses as (

    select * from {{ ref('fct_message_responses') }}

),

seen as (

    select anonymous_id, customer_id, source, linked_at, linked_at as known_at, event_id from links
    union all
    {# A reader who follows a link of his mail is the recipient, once it is clear that no scanner did it. #}
    select anonymous_id, customer_id, 'email_click', occurred_at, known_at, event_id
    from responses
    where kind = 'click' and not is_machine and anonymous_id is not null and customer_id is not null

),

devices as (

    select
        anonymous_id,
        min(customer_id) = max(customer_id) as is_of_one,
        min(customer_id) as customer_id,
        arg_min(source, (known_at, event_id)) as source,
        min(known_at) as linked_at
    from seen
    group by anonymous_id

),

{# Most devices are one person's; only the others need an order of events. Of links at the same moment one counts. #}
moments as (

    select
        seen.anonymous_id,
        seen.known_at as linked_at,
        arg_min(seen.customer_id, seen.event_id) as customer_id,
        arg_min(seen.source, seen.event_id) as source
    from seen
    inner join devices
        on seen.anonymous_id = devices.anonymous_id
        and not devices.is_of_one
    group by seen.anonymous_id, seen.known_at

),

changes as (

    select
        *,
        lag(customer_id) over (partition by anonymous_id order by linked_at) as customer_before
    from moments

),

spans as (

    select
        *,
        customer_before is null as is_first,
        lead(linked_at) over (partition by anonymous_id order by linked_at) as next_linked_at
    from changes
    where customer_before is distinct from customer_id
    union all
    select anonymous_id, linked_at, customer_id, source, cast(null as varchar), true, cast(null as timestamp)
    from devices
    where is_of_one

)

select
    anonymous_id,
    customer_id,
    source,
    linked_at,
    case when is_first then timestamp '0001-01-01 00:00:00' else linked_at end as valid_from,
    coalesce(next_linked_at, timestamp '9999-12-31 00:00:00') as valid_to
from spans
