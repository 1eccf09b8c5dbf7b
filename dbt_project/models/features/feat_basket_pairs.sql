with dates as (

    select * from {{ ref('int_as_of_dates') }}

),

order_lines as (

    select * from {{ ref('fct_order_lines') }}
    where product_id is not null

),

lines as (

    select distinct
        dates.as_of,
        order_lines.order_id,
        order_lines.product_id
    from order_lines
    inner join dates
        on order_lines.occurred_at < dates.as_of
        and order_lines.occurred_at >= {{ days_before('dates.as_of', var('basket_days')) }}

),

sizes as (

    select
        *,
        count(*) over (partition by as_of, order_id) as n_products
    from lines

),

baskets as (

    select
        as_of,
        cast(dense_rank() over (order by order_id) as integer) as order_number,
        cast(dense_rank() over (order by product_id) as integer) as product_number,
        product_id
    from sizes
    where n_products between 2 and {{ var('basket_max_products') }}

),

products as (

    select
        as_of,
        product_number,
        any_value(product_id) as product_id,
        count(*) as n_orders
    from baskets
    group by as_of, product_number
    having count(*) >= {{ var('basket_min_orders') }}

),

totals as (

    select
        as_of,
        count(distinct order_number) as n_orders
    from baskets
    group by as_of

),

half_pairs as (

    select
        baskets.as_of,
        baskets.product_number,
        others.product_number as other_product_number,
        count(*) as n_orders_together
    from baskets
    inner join baskets as others
        on baskets.as_of = others.as_of
        and baskets.order_number = others.order_number
        and baskets.product_number < others.product_number
    group by baskets.as_of, baskets.product_number, others.product_number
    having count(*) >= {{ var('basket_min_orders') }}

),

pairs as (

    select as_of, product_number, other_product_number, n_orders_together from half_pairs
    union all
    select as_of, other_product_number, product_number, n_orders_together from half_pairs

),

ranked as (

    select
        products.product_id,
        others.product_id as other_product_id,
        pairs.as_of,
        cast(pairs.n_orders_together as integer) as n_orders_together,
        cast(pairs.n_orders_together as double) * totals.n_orders / (products.n_orders * others.n_orders) as lift,
        row_number() over (
            partition by pairs.as_of, pairs.product_number
            order by
                pairs.n_orders_together desc,
                cast(pairs.n_orders_together as double) * totals.n_orders / (products.n_orders * others.n_orders) desc,
                others.product_id
        ) as nth
    from pairs
    inner join products
        on pairs.as_of = products.as_of
        and pairs.product_number = products.product_number
    inner join products as others
        on pairs.as_of = others.as_of
        and pairs.other_product_number = others.product_number
    inner join totals on pairs.as_of = totals.as_of

)

select
    product_id,
    other_product_id,
    as_of,
    n_orders_together,
    lift
from ranked
where nth <= {{ var('basket_top') }}
order by as_of, product_id, other_product_id
