{{ config(tags=["warehouse"], meta={"dagster": {"ref": {"name": "fct_sessions"}}}) }}

-- Every event that opens a session opens exactly one, and the sessions of a day hold all of its events, whichever day they fall on.
with site_events as (

    select * from {{ ref('int_site_events') }}

),

opened as (

    select
        cast(session_started_at as date) as session_date,
        count(*) as n_events,
        count(*) filter (where is_session_start) as n_sessions
    from site_events
    where {{ of_this_run('cast(session_started_at as date)') }}
        and event_date in ({{ changed_days(after=1) }})
    group by 1

),

sessions as (

    select
        session_date,
        sum(n_events) as n_events,
        count(*) as n_sessions
    from {{ ref('fct_sessions') }}
    where {{ of_this_run('session_date') }}
    group by session_date

)

select
    coalesce(opened.session_date, sessions.session_date) as session_date,
    opened.n_sessions,
    sessions.n_sessions as n_sessions_in_fact,
    opened.n_events,
    sessions.n_events as n_events_in_fact
from opened
full outer join sessions on opened.session_date = sessions.session_date
where opened.n_sessions is distinct from sessions.n_sessions
    or opened.n_events is distinct from sessions.n_events
