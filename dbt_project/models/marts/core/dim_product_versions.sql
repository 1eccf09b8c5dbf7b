with versions as (

    select * from {{ ref('stg_product_versions') }}

),

compared as (

    select
        *,
        row_number() over (partition by product_id order by valid_from) as nth,
        lag(price) over (partition by product_id order by valid_from) as price_before,
        lag(cost) over (partition by product_id order by valid_from) as cost_before,
        lag(is_in_stock) over (partition by product_id order by valid_from) as was_in_stock,
        lag(is_dated) over (partition by product_id order by valid_from) as was_dated
    from versions

),

changes as (

    select
        *,
        case when nth > 1 and price is distinct from price_before then valid_from end as price_change_at,
        case when nth > 1 and is_in_stock <> was_in_stock then valid_from end as stock_change_at
    from compared
    where
        nth = 1
        or not was_dated
        or price is distinct from price_before
        or cost is distinct from cost_before
        or is_in_stock <> was_in_stock

),

dated as (

    select
        *,
        max(price_change_at) over so_far as price_changed_at,
        max(stock_change_at) over so_far as stock_changed_at,
        last_value(case when price_change_at is not null then price_before end ignore nulls) over so_far
            as previous_price
    from changes
    window so_far as (
        partition by product_id order by valid_from rows between unbounded preceding and current row
    )

),

followed as (

    select
        *,
        lead(valid_from) over (partition by product_id order by valid_from) as valid_to,
        case
            when stock_change_at is not null
                then lag(stock_changed_at) over (partition by product_id order by valid_from)
        end as earlier_stock_changed_at
    from dated

)

select
    product_id,
    valid_from,
    valid_to,
    price,
    previous_price,
    cost,
    is_in_stock,
    is_dated,
    price_changed_at,
    stock_changed_at,
    last_value(earlier_stock_changed_at ignore nulls) over (
        partition by product_id order by valid_from rows between unbounded preceding and current row
    ) as previous_stock_changed_at
from followed
