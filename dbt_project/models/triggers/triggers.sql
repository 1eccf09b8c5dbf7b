with bad_service as (

    select * from {{ ref('trigger_bad_service') }}

),

checkout_abandoned as (

    select * from {{ ref('trigger_checkout_abandoned') }}

),

cart_abandoned as (

    select * from {{ ref('trigger_cart_abandoned') }}

),

replenishment as (

    select * from {{ ref('trigger_replenishment') }}

),

repeated_views as (

    select * from {{ ref('trigger_repeated_views') }}

),

product_comparison as (

    select * from {{ ref('trigger_product_comparison') }}

),

browse_abandoned as (

    select * from {{ ref('trigger_browse_abandoned') }}

),

welcome as (

    select * from {{ ref('trigger_welcome') }}

),

post_purchase_thanks as (

    select * from {{ ref('trigger_post_purchase_thanks') }}

),

post_purchase_tips as (

    select * from {{ ref('trigger_post_purchase_tips') }}

),

review_request as (

    select * from {{ ref('trigger_review_request') }}

),

cross_sell as (

    select * from {{ ref('trigger_cross_sell') }}

),

birthday as (

    select * from {{ ref('trigger_birthday') }}

),

anniversary as (

    select * from {{ ref('trigger_anniversary') }}

),

nth_order as (

    select * from {{ ref('trigger_nth_order') }}

),

win_back as (

    select * from {{ ref('trigger_win_back') }}

),

back_in_stock as (

    select * from {{ ref('trigger_back_in_stock') }}

),

price_drop as (

    select * from {{ ref('trigger_price_drop') }}

),

combined as (

    select * from bad_service
    union all
    select * from checkout_abandoned
    union all
    select * from cart_abandoned
    union all
    select * from replenishment
    union all
    select * from repeated_views
    union all
    select * from product_comparison
    union all
    select * from browse_abandoned
    union all
    select * from welcome
    union all
    select * from post_purchase_thanks
    union all
    select * from post_purchase_tips
    union all
    select * from review_request
    union all
    select * from cross_sell
    union all
    select * from birthday
    union all
    select * from anniversary
    union all
    select * from nth_order
    union all
    select * from win_back
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
