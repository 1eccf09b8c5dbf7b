with customers as (

    select * from {{ ref('int_customer_as_of') }}
    where has_behaviour

),

offers as (

    select * from {{ ref('fct_messages') }}
    where coupon is not null

),

redeemed as (

    select distinct customer_id, order_id, coupon, occurred_at
    from {{ ref('fct_order_lines') }}
    where customer_id is not null and coupon is not null

),

received as (

    select
        customers.customer_id,
        customers.as_of,
        offers.message_id,
        offers.coupon,
        offers.sent_at
    from offers
    inner join customers
        on offers.customer_id = customers.customer_id
        and offers.sent_at < customers.as_of
        and offers.sent_at >= {{ days_before('customers.as_of', 365) }}

),

answered as (

    select
        received.customer_id,
        received.as_of,
        cast(count(distinct received.message_id) as integer) as n_offers_365d,
        cast(count(distinct received.message_id) filter (where redeemed.order_id is not null) as integer) as n_offers_used_365d
    from received
    left join redeemed
        on received.customer_id = redeemed.customer_id
        and received.coupon = redeemed.coupon
        and redeemed.occurred_at >= received.sent_at
        and redeemed.occurred_at < {{ days_after('received.sent_at', var('offer_use_days')) }}
        and redeemed.occurred_at < received.as_of
    group by received.customer_id, received.as_of

),

bought as (

    select
        customers.customer_id,
        customers.as_of,
        cast(count(distinct redeemed.order_id) as integer) as n_coupon_orders
    from redeemed
    inner join customers
        on redeemed.customer_id = customers.customer_id
        and redeemed.occurred_at < customers.as_of
    group by customers.customer_id, customers.as_of

)

select
    coalesce(answered.customer_id, bought.customer_id) as customer_id,
    coalesce(answered.as_of, bought.as_of) as as_of,
    coalesce(answered.n_offers_365d, 0) as n_offers_365d,
    coalesce(answered.n_offers_used_365d, 0) as n_offers_used_365d,
    coalesce(bought.n_coupon_orders, 0) as n_coupon_orders
from answered
full outer join bought on answered.customer_id = bought.customer_id and answered.as_of = bought.as_of
