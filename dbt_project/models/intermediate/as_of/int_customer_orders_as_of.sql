with customers as (

    select * from {{ ref('int_customer_as_of') }}
    where has_behaviour

),

orders as (

    select * from {{ ref('fct_orders') }}

),

order_days as (

    select * from {{ ref('int_order_days') }}

),

refunds as (

    select * from {{ ref('fct_refund_lines') }}

),

known_orders as (

    select
        orders.*,
        customers.as_of,
        {%- for days in [7, 30, 90, 180, 365] %}
        orders.occurred_at >= {{ days_before('customers.as_of', days) }} as is_last_{{ days }}d,
        {%- endfor %}
        {{ days_between('orders.occurred_at', 'customers.as_of') }} as age_days
    from orders
    inner join customers
        on orders.customer_id = customers.customer_id
        and orders.occurred_at < customers.as_of

),

bought as (

    select
        customer_id,
        as_of,
        cast(count(distinct order_id) as integer) as n_orders,
        {%- for days in [7, 30, 90, 180, 365] %}
        cast(count(distinct order_id) filter (where is_last_{{ days }}d) as integer) as n_orders_{{ days }}d,
        {%- endfor %}
        cast(sum(n_units) as integer) as n_units,
        {{ stable_sum('gross_revenue') }} as gross_revenue,
        {{ stable_sum('discounted_gross_revenue') }} as discounted_gross_revenue,
        {{ stable_sum('discount') }} as discount,
        {{ stable_sum('revenue') }} as revenue_total,
        {%- for days in [7, 30, 90, 180, 365] %}
        coalesce({{ stable_sum('revenue', where='is_last_' ~ days ~ 'd') }}, 0) as revenue_{{ days }}d,
        {%- endfor %}
        {%- for speed in ['fast', 'slow'] %}
        {{ stable_sum('revenue * ' ~ decay('age_days', var(speed ~ '_half_life_days'))) }} as revenue_decayed_{{ speed }},
        {%- endfor %}
        {{ stable_sum('margin') }} as margin_total,
        coalesce({{ stable_sum('margin', where='is_last_365d') }}, 0) as margin_365d,
        min(occurred_at) as first_order_at,
        max(occurred_at) as last_order_at
    from known_orders
    group by customer_id, as_of

),

rhythm as (

    select
        customers.customer_id,
        customers.as_of,
        cast(count(*) as integer) as n_order_days,
        min(order_days.order_date) as first_order_date,
        max(order_days.order_date) as last_order_date,
        count(order_days.gap_days) as n_gaps,
        cast(sum(order_days.gap_days) as double) as sum_gap_days,
        cast(sum(order_days.gap_days * order_days.gap_days) as double) as sum_squared_gap_days,
        cast(median(order_days.gap_days) as double) as median_gap_days,
        {%- for speed in ['fast', 'slow'] %}
        {{ stable_sum(decay('(customers.as_of - order_days.order_date)', var(speed ~ '_half_life_days'))) }}
            as order_days_decayed_{{ speed }}{{ ',' if not loop.last }}
        {%- endfor %}
    from order_days
    inner join customers
        on order_days.customer_id = customers.customer_id
        and order_days.order_date < customers.as_of
    group by customers.customer_id, customers.as_of

),

given_back as (

    select
        customers.customer_id,
        customers.as_of,
        {%- for days in [30, 90, 180, 365] %}
        cast(count(distinct refunds.order_id) filter (
            where refunds.occurred_at >= {{ days_before('customers.as_of', days) }}
        ) as integer) as n_refunds_{{ days }}d,
        {%- endfor %}
        {%- for days in [7, 30, 90, 180, 365] %}
        {{ stable_sum('refunds.amount', where='refunds.occurred_at >= ' ~ days_before('customers.as_of', days)) }}
            as refund_{{ days }}d,
        {%- endfor %}
        {{ stable_sum('refunds.amount') }} as refund_total,
        {{ stable_sum('refunds.margin') }} as refund_margin_total,
        {{ stable_sum('refunds.margin', where="refunds.occurred_at >= " ~ days_before('customers.as_of', 365)) }} as refund_margin_365d
    from refunds
    inner join customers
        on refunds.customer_id = customers.customer_id
        and refunds.occurred_at < customers.as_of
    group by customers.customer_id, customers.as_of

)

select
    customers.customer_id,
    customers.as_of,
    coalesce(bought.n_orders, 0) as n_orders,
    {%- for days in [7, 30, 90, 180, 365] %}
    coalesce(bought.n_orders_{{ days }}d, 0) as n_orders_{{ days }}d,
    {%- endfor %}
    coalesce(rhythm.n_order_days, 0) as n_order_days,
    {%- for speed in ['fast', 'slow'] %}
    coalesce(rhythm.order_days_decayed_{{ speed }}, 0) as order_days_decayed_{{ speed }},
    {%- endfor %}
    coalesce(bought.n_units, 0) as n_units,
    {%- for days in [30, 90, 180, 365] %}
    coalesce(given_back.n_refunds_{{ days }}d, 0) as n_refunds_{{ days }}d,
    {%- endfor %}
    coalesce(bought.revenue_total, 0) - coalesce(given_back.refund_total, 0) as revenue_total,
    {%- for days in [7, 30, 90, 180, 365] %}
    coalesce(bought.revenue_{{ days }}d, 0) - coalesce(given_back.refund_{{ days }}d, 0) as revenue_{{ days }}d,
    {%- endfor %}
    {%- for speed in ['fast', 'slow'] %}
    coalesce(bought.revenue_decayed_{{ speed }}, 0) as revenue_decayed_{{ speed }},
    {%- endfor %}
    coalesce(bought.margin_total, 0) - coalesce(given_back.refund_margin_total, 0) as margin_total,
    coalesce(bought.margin_365d, 0) - coalesce(given_back.refund_margin_365d, 0) as margin_365d,
    bought.revenue_total / nullif(bought.n_orders, 0) as avg_order_value,
    bought.discounted_gross_revenue / nullif(bought.gross_revenue, 0) as discount_share,
    bought.discount / nullif(bought.discounted_gross_revenue, 0) as mean_discount_depth,
    case
        when bought.n_orders > 0 then coalesce(given_back.refund_total, 0) / nullif(bought.revenue_total, 0)
    end as refund_rate,
    {%- for days in [90, 180, 365] %}
    coalesce(given_back.refund_{{ days }}d, 0) / case when bought.revenue_{{ days }}d > 0 then bought.revenue_{{ days }}d end
        as refund_rate_{{ days }}d,
    {%- endfor %}
    greatest(coalesce(rhythm.n_order_days, 0) - 1, 0) as repeat_days,
    coalesce(cast(rhythm.last_order_date - rhythm.first_order_date as double), 0) as recency_days,
    coalesce(cast(customers.as_of - rhythm.first_order_date as double), 0) as age_days,
    rhythm.sum_gap_days / nullif(rhythm.n_gaps, 0) as mean_gap_days,
    case
        when rhythm.n_gaps > 1 then sqrt(greatest(
            rhythm.sum_squared_gap_days - rhythm.sum_gap_days * rhythm.sum_gap_days / rhythm.n_gaps, 0
        ) / (rhythm.n_gaps - 1))
    end as std_gap_days,
    rhythm.median_gap_days,
    bought.first_order_at,
    bought.last_order_at
from customers
left join bought on customers.customer_id = bought.customer_id and customers.as_of = bought.as_of
left join rhythm on customers.customer_id = rhythm.customer_id and customers.as_of = rhythm.as_of
left join given_back on customers.customer_id = given_back.customer_id and customers.as_of = given_back.as_of
where bought.customer_id is not null or given_back.customer_id is not null
