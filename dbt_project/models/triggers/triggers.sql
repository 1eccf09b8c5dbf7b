with cart_abandoned as (

    select * from {{ ref('trigger_cart_abandoned') }}

),

browse_abandoned as (

    select * from {{ ref('trigger_browse_abandoned') }}

),

welcome as (

    select * from {{ ref('trigger_welcome') }}

),

post_purchase as (

    select * from {{ ref('trigger_post_purchase') }}

),

replenishment as (

    select * from {{ ref('trigger_replenishment') }}

),

win_back as (

    select * from {{ ref('trigger_win_back') }}

),

birthday as (

    select * from {{ ref('trigger_birthday') }}

),

back_in_stock as (

    select * from {{ ref('trigger_back_in_stock') }}

),

price_drop as (

    select * from {{ ref('trigger_price_drop') }}

),

combined as (

    select * from cart_abandoned
    union all
    select * from browse_abandoned
    union all
    select * from welcome
    union all
    select * from post_purchase
    union all
    select * from replenishment
    union all
    select * from win_back
    union all
    select * from birthday
    union all
    select * from back_in_stock
    union all
    select * from price_drop

)

select
    customer_id,
    as_of,
    trigger_key,
    triggered_at,
    expires_at,
    product_ids,
    context
from combined
order by as_of, customer_id, trigger_key
