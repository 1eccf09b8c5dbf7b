with dates as (

    select * from {{ ref('int_as_of_dates') }}

),

customers as (

    select * from {{ ref('int_customer_as_of') }}

),

profiles as (

    select * from {{ ref('dim_customers') }}

),

messages as (

    select * from {{ ref('int_messages') }}

),

answers as (

    select * from {{ ref('int_message_answers') }}

),

attributions as (

    select * from {{ ref('fct_order_attributions') }}

),

orders as (

    select
        attributions.message_id,
        dates.as_of,
        count(*) as n_orders
    from attributions
    inner join dates on attributions.ordered_at < dates.as_of
    group by attributions.message_id, dates.as_of

)

select
    messages.message_id,
    customers.customer_id,
    customers.as_of,
    messages.message_key,
    messages.subject_variant,
    messages.offer_key,
    {{ hour_of_week(local_time('messages.sent_at', 'profiles.timezone')) }} as hour_of_week,
    case when customers.has_behaviour then coalesce(cast(orders.n_orders as integer), 0) else 0 end as n_orders,
    customers.has_behaviour,
    coalesce(answers.unsubscribed_at < customers.as_of, false) as is_unsubscribed,
    coalesce(answers.complained_at < customers.as_of, false) as is_complained,
    messages.sent_at,
    case
        when customers.has_behaviour and answers.first_human_open_at < customers.as_of then answers.first_human_open_at
    end as first_human_open_at,
    {# Whether a click is a person's is clear only after the seconds in which a scanner would follow other links. #}
    case
        when customers.has_behaviour
            and {{ dbt.dateadd('second', var('machine_click_burst_seconds'), 'answers.first_human_click_at') }} < customers.as_of
            then answers.first_human_click_at
    end as first_click_at
from messages
inner join customers
    on messages.customer_id = customers.customer_id
    and messages.sent_at < customers.as_of
inner join profiles on messages.customer_id = profiles.customer_id
left join answers on messages.message_id = answers.message_id
left join orders
    on messages.message_id = orders.message_id
    and customers.as_of = orders.as_of
