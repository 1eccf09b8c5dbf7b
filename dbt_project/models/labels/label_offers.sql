with messages as (

    select * from {{ ref('int_message_outcomes_as_of') }}
    where has_behaviour
        and sent_at < {{ days_before('as_of', var('label_offer_days')) }}
        and sent_at >= {{ days_before('as_of', var('label_offer_history_days')) }}

),

events as (

    select * from {{ ref('stg_events') }}
    where event = 'Email Sent'

),

{# What a mail was sent with is told by the first report of its sending, as in int_messages. #}
reports as (

    select
        coalesce(message_id, event_id) as message_id,
        try_cast({{ json_text('properties', 'discount_rate') }} as double) as discount_rate,
        coalesce(coupon, {{ json_text('properties', 'coupon') }}) as coupon,
        try_cast({{ json_text('properties', 'propensity_offer') }} as double) as propensity,
        row_number() over (partition by coalesce(message_id, event_id) order by occurred_at, event_id) as nth
    from events

),

sends as (

    select
        messages.message_id,
        messages.customer_id,
        messages.as_of,
        messages.sent_at,
        messages.message_key,
        coalesce(messages.offer_key, 'none') as offer_key,
        coalesce(reports.discount_rate, 0) as discount_rate,
        reports.coupon,
        reports.propensity
    from messages
    inner join reports
        on messages.message_id = reports.message_id
        and reports.nth = 1
        and reports.propensity > 0
        and reports.propensity < 1

),

order_lines as (

    select
        order_id,
        customer_id,
        occurred_at,
        coupon,
        {{ stable_sum('margin') }} as margin,
        {{ stable_sum('discount') }} as discount
    from {{ ref('fct_order_lines') }}
    where customer_id is not null
    group by order_id, customer_id, occurred_at, coupon

),

bought as (

    select
        sends.message_id,
        sends.as_of,
        {{ stable_sum('order_lines.margin') }} as margin,
        {{ stable_sum('order_lines.discount') }} as discount,
        coalesce(bool_or(order_lines.coupon = sends.coupon), false) as is_redeemed
    from sends
    inner join order_lines
        on sends.customer_id = order_lines.customer_id
        and order_lines.occurred_at >= sends.sent_at
        and order_lines.occurred_at < {{ days_after('sends.sent_at', var('label_offer_days')) }}
    group by sends.message_id, sends.as_of

)

select
    sends.message_id,
    sends.customer_id,
    sends.as_of,
    sends.sent_at,
    sends.message_key,
    sends.offer_key,
    sends.discount_rate,
    sends.propensity,
    cast({{ var('label_offer_days') }} as integer) as horizon_days,
    bought.message_id is not null as is_ordered,
    coalesce(bought.is_redeemed, false) as is_redeemed,
    coalesce(bought.margin, 0) as margin,
    coalesce(bought.discount, 0) as discount
from sends
left join bought on sends.message_id = bought.message_id and sends.as_of = bought.as_of
order by sends.as_of, sends.customer_id, sends.sent_at, sends.message_id
