with customers as (

    select * from {{ ref('int_customer_as_of') }}
    where has_behaviour

),

outcomes as (

    select * from {{ ref('int_message_outcomes_as_of') }}
    where has_behaviour and sent_at >= {{ days_before('as_of', 180) }}

),

responses as (

    select * from {{ ref('fct_message_responses') }}
    where kind in ('open', 'click')

),

answers as (

    select
        customers.customer_id,
        customers.as_of,
        responses.kind,
        responses.is_machine,
        responses.occurred_at >= {{ days_before('customers.as_of', 180) }} as is_last_180d,
        {# Of an answer without a message nobody knows what it answers. #}
        case when responses.message_id is not null and not responses.is_machine then responses.occurred_at end as answered_at,
        {{ device_class('responses.device') }} as device_class
    from responses
    inner join customers
        on responses.customer_id = customers.customer_id
        and responses.known_at < customers.as_of

),

mails as (

    select
        customer_id,
        as_of,
        {%- for days in [7, 30, 90, 180] %}
        {%- set sent = "sent_at >= " ~ days_before('as_of', days) %}
        cast(count(*) filter (where {{ sent }}) as integer) as n_emails_{{ days }}d,
        cast(count(first_human_open_at) filter (where {{ sent }}) as integer) as n_human_opens_{{ days }}d,
        cast(count(first_click_at) filter (where {{ sent }}) as integer) as n_clicks_{{ days }}d{{ ',' if not loop.last }}
        {%- endfor %}
    from outcomes
    group by customer_id, as_of

),

readers as (

    select
        customer_id,
        as_of,
        count(*) filter (where is_last_180d and kind = 'open') as n_opens,
        count(*) filter (where is_last_180d and kind = 'open' and is_machine) as n_machine_opens,
        {%- for device in ['mobile', 'tablet', 'desktop'] %}
        cast(count(*) filter (
            where is_last_180d and not is_machine and device_class = '{{ device }}'
        ) as integer) as n_{{ device }}_answers,
        {%- endfor %}
        max(answered_at) filter (where kind = 'open') as last_human_open_at,
        max(answered_at) filter (where kind = 'click') as last_click_at
    from answers
    group by customer_id, as_of

)

select
    coalesce(mails.customer_id, readers.customer_id) as customer_id,
    coalesce(mails.as_of, readers.as_of) as as_of,
    {%- for days in [7, 30, 90, 180] %}
    coalesce(mails.n_emails_{{ days }}d, 0) as n_emails_{{ days }}d,
    coalesce(mails.n_human_opens_{{ days }}d, 0) as n_human_opens_{{ days }}d,
    coalesce(mails.n_clicks_{{ days }}d, 0) as n_clicks_{{ days }}d,
    {%- endfor %}
    readers.n_machine_opens / nullif(readers.n_opens, 0) as machine_open_share_180d,
    {%- for device in ['mobile', 'tablet', 'desktop'] %}
    coalesce(readers.n_{{ device }}_answers, 0) as n_{{ device }}_answers,
    {%- endfor %}
    readers.last_human_open_at,
    readers.last_click_at
from mails
full outer join readers on mails.customer_id = readers.customer_id and mails.as_of = readers.as_of
