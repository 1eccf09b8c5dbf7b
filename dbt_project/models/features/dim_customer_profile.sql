with features as (

    select * from {{ ref('feat_customer') }}

),

people as (

    select * from {{ ref('dim_customers') }}

),

eligibility as (

    select * from {{ ref('feat_eligibility') }}

),

engagement as (

    select * from {{ ref('int_customer_engagement_as_of') }}

),

visits as (

    select * from {{ ref('int_customer_visits_as_of') }}

),

stages as (

    select
        customer_id,
        as_of,
        max(since) filter (where is_current) as stage_since,
        list(struct_pack(stage := lifecycle_stage, since := since) order by since nulls first) as stage_history
    from {{ ref('int_customer_stages_as_of') }}
    group by customer_id, as_of

),

segments as (

    select
        customer_id,
        as_of,
        arg_max(segment, observed_on) as segment,
        max(observed_on) as segment_since,
        list(struct_pack(segment := segment, since := observed_on) order by observed_on) as segment_history
    from {{ ref('int_customer_segments_as_of') }}
    group by customer_id, as_of

),

favourites as (

    select
        customer_id,
        as_of,
        {%- for kind, name in [('category', 'top_categories'), ('brand', 'top_brands'), ('topic', 'top_topics')] %}
        list_filter([
            {%- for rank in range(1, var('profile_top') + 1) %}
            max(value) filter (where kind = '{{ kind }}' and rank = {{ rank }}){{ ',' if not loop.last }}
            {%- endfor %}
        ], lambda value: value is not null) as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('feat_affinity') }}
    where rank <= {{ var('profile_top') }}
    group by customer_id, as_of

),

open_triggers as (

    select
        customer_id,
        as_of,
        list(trigger_key order by triggered_at desc, trigger_key) as open_triggers
    from {{ ref('triggers') }}
    group by customer_id, as_of

)

select
    features.customer_id,
    features.as_of,
    people.country,
    people.region,
    people.city,
    people.locale,
    people.timezone,
    features.utc_offset_hours_inferred as utc_offset_hours,
    features.timezone_basis,
    features.timezone_confidence,
    case when people.signed_up_at < features.as_of then people.signed_up_at end as signed_up_at,
    people.signup_source,
    features.is_business,
    features.company_size,
    features.industry,
    features.job_role,
    eligibility.has_email,
    eligibility.is_duplicate,
    eligibility.consent_status,
    features.has_behaviour as profiling_allowed,
    eligibility.suppression_reason,
    case when features.has_behaviour then features.lifecycle_stage end as lifecycle_stage,
    case when features.has_behaviour then stages.stage_since end as stage_since,
    case when features.has_behaviour then stages.stage_history else [] end as stage_history,
    segments.segment,
    segments.segment_since,
    coalesce(segments.segment_history, []) as segment_history,
    case when features.has_behaviour then features.n_orders end as n_orders,
    case when features.has_behaviour then features.n_orders_365d end as n_orders_365d,
    {%- for amount in ['revenue_total', 'revenue_365d', 'margin_365d'] %}
    case when features.has_behaviour then round(features.{{ amount }}, 2) end as {{ amount }},
    {%- endfor %}
    round(features.avg_order_value, 2) as avg_order_value,
    features.last_order_at,
    visits.last_visit_at,
    engagement.last_human_open_at as last_open_at,
    engagement.last_click_at,
    case when features.has_behaviour then eligibility.last_support_at end as last_support_at,
    coalesce(favourites.top_categories, []) as top_categories,
    coalesce(favourites.top_brands, []) as top_brands,
    coalesce(favourites.top_topics, []) as top_topics,
    features.usual_hour,
    case features.usual_weekday
        {%- for day in ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'] %}
        when {{ loop.index }} then '{{ day }}'
        {%- endfor %}
    end as usual_weekday,
    features.site_device,
    features.mail_device,
    case
        when features.discount_share >= {{ var('profile_discount_share') }} then 'buys mostly on discount'
        when features.discount_share >= {{ var('profile_full_price_share') }} then 'buys partly on discount'
        when features.discount_share is not null then 'buys at full price'
    end as price_sensitivity,
    coalesce(open_triggers.open_triggers, []) as open_triggers,
    case
        when features.std_gap_days is not null
            then cast({{ fractional_days_after('features.last_order_at', 'features.median_gap_days') }} as date)
    end as expected_next_order_on,
    list_filter([
        case
            when features.std_gap_days is not null
                then 'orders about every ' || cast(round(features.median_gap_days) as integer) || ' days'
        end,
        case
            when features.gaps_since_last_order >= 2 and features.std_gap_days is not null
                then 'silent ' || cast(round(features.gaps_since_last_order, 1) as varchar) || ' times as long as usual'
        end,
        case
            when features.n_emails_180d >= 5 and features.n_human_opens_180d = 0
                then 'opened none of ' || features.n_emails_180d || ' mails in half a year'
            when features.n_emails_180d >= 5
                then 'opened ' || features.n_human_opens_180d || ' of ' || features.n_emails_180d || ' mails in half a year'
        end,
        case when features.machine_open_share_180d >= 0.5 then 'most opens are by machines' end,
        case
            when features.n_offers_365d > 0
                then 'used ' || features.n_offers_used_365d || ' of ' || features.n_offers_365d || ' offers in a year'
        end,
        case
            when features.refund_rate_365d > 0
                then 'gave back ' || cast(round(100 * features.refund_rate_365d) as integer) || ' % of what was bought in a year'
        end,
        case when features.has_bad_experience_30d then 'had a bad experience in the last 30 days' end,
        case when features.n_support_30d > 0 then 'asked the service in the last 30 days' end
    ], lambda fact: fact is not null) as facts
from features
inner join people on features.customer_id = people.customer_id
inner join eligibility on features.customer_id = eligibility.customer_id and features.as_of = eligibility.as_of
left join stages on features.customer_id = stages.customer_id and features.as_of = stages.as_of
left join segments on features.customer_id = segments.customer_id and features.as_of = segments.as_of
left join engagement on features.customer_id = engagement.customer_id and features.as_of = engagement.as_of
left join visits on features.customer_id = visits.customer_id and features.as_of = visits.as_of
left join favourites on features.customer_id = favourites.customer_id and features.as_of = favourites.as_of
left join open_triggers on features.customer_id = open_triggers.customer_id and features.as_of = open_triggers.as_of
order by features.as_of, features.customer_id
