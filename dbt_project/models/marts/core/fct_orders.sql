with order_lines as (

    select * from {{ ref('fct_order_lines') }}

)

select
    order_id,
    customer_id,
    cast(count(*) as integer) as n_lines,
    cast(sum(quantity) as integer) as n_units,
    {{ stable_sum('gross_revenue') }} as gross_revenue,
    coalesce({{ stable_sum('gross_revenue', where='discount > 0') }}, 0) as discounted_gross_revenue,
    {{ stable_sum('discount') }} as discount,
    {{ stable_sum('revenue') }} as revenue,
    {{ stable_sum('margin') }} as margin,
    order_date,
    occurred_at
from order_lines
group by order_id, customer_id, order_date, occurred_at
