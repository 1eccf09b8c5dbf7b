with dates as (

    select * from {{ ref('int_as_of_dates') }}

),

purchases as (

    select * from {{ ref('int_purchase_days') }}

)

select
    purchases.product_id,
    dates.as_of,
    cast(count(*) as integer) as n_gaps,
    cast(median(purchases.gap_days) as double) as median_repurchase_days
from purchases
inner join dates on purchases.order_date < dates.as_of
where purchases.gap_days is not null
group by purchases.product_id, dates.as_of
having count(*) >= {{ var('repurchase_min_gaps') }}
