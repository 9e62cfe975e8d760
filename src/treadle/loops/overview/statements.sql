-- What was done in a window, by kind, noun of the subject, and bucket of time. Positions rise with time, so the log is
-- walked from the window's first event on.

-- name: position_at
select position, recorded_at from event where project = :project and position >= :position order by position limit 1;

-- name: tally (sqlite)
select kind,
    case when subject like 'dataset/predictions.%' then 'predictions'
        else substr(subject, 1, instr(subject || '/', '/') - 1) end as noun,
    (recorded_at - :since) / :bucket as bucket,
    count(*) as events,
    max(recorded_at) as last_at,
    coalesce(sum(case kind when 'dataset.landed' then json_extract(body, '$.rows_kept')
        when 'quarantine.released' then json_extract(body, '$.rows') end), 0) as row_count,
    coalesce(sum(case when kind = 'run.finished' and json_extract(body, '$.status') = 'failed' then 1 end), 0) as failed
from event where project = :project and position >= :position and recorded_at >= :since
group by 1, 2, 3;
-- name: tally (postgresql)
select kind,
    case when subject like 'dataset/predictions.%' then 'predictions' else split_part(subject, '/', 1) end as noun,
    (recorded_at - :since) / :bucket as bucket,
    count(*) as events,
    max(recorded_at) as last_at,
    cast(coalesce(sum(case kind when 'dataset.landed' then cast(cast(body as json) ->> 'rows_kept' as bigint)
        when 'quarantine.released' then cast(cast(body as json) ->> 'rows' as bigint) end), 0) as bigint) as row_count,
    cast(coalesce(sum(case when kind = 'run.finished' and cast(body as json) ->> 'status' = 'failed' then 1 end), 0) as bigint)
        as failed
from event where project = :project and position >= :position and recorded_at >= :since
group by 1, 2, 3;

-- name: open_questions
select run, root, kind, subject, recorded_at from waiting
where project = :project and answered_at is null order by recorded_at limit :limit;
