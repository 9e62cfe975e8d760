-- The statements of the engine. Every write of a run first takes the fence: the row of the root with the epoch that the
-- writer holds. Whoever was taken over finds no row there, and nothing of its transaction stands.

-- name: fence
select 1 from run where project = :project and id = :root and epoch = :epoch and status = 'running';
-- name: fence (postgresql)
select 1 from run where project = :project and id = :root and epoch = :epoch and status = 'running' for share;

-- name: insert_root
insert into run (project, id, kind, name, path, parent, root, status, attempt, epoch, lease_owner, lease_until, key,
    key_parts, code_digest, bundle_digest, environment_digest, params, seed, now_at, actor, host, pid, caused_by, notes,
    recorded_at, started_at)
values (:project, :id, :kind, :name, :path, :parent, :root, 'running', 1, :epoch, :lease_owner, :lease_until, null,
    :key_parts, :code_digest, :bundle_digest, :environment_digest, :params, :seed, :now_at, :actor, :host, :pid,
    :caused_by, :notes, :at, :at);

-- name: insert_step
insert into run (project, id, kind, name, path, parent, root, status, attempt, epoch, key, key_parts, code_digest,
    params, seed, actor, host, pid, reused_from, recorded_at, started_at, ended_at)
values (:project, :id, :kind, :name, :path, :parent, :root, :status, :attempt, :epoch, :key, :key_parts, :code_digest,
    :params, :seed, :actor, :host, :pid, :reused_from, :at, :started_at, :ended_at);

-- name: finish_step
update run set status = :status, started_at = :started_at, ended_at = :at, notes = :notes, error = :error
where project = :project and id = :id and status in ('running', 'waiting');

-- name: finish_root
update run set status = :status, ended_at = :at, error = :error, lease_owner = null, lease_until = null
where project = :project and id = :id and epoch = :epoch and status = 'running';

-- name: finish_child
update run set status = :status, ended_at = :at, error = :error
where project = :project and id = :id and status = 'running';

-- name: caught
update run set notes = :notes where project = :project and id = :id and status = 'failed';

-- name: set_environment
update run set environment_digest = :environment where project = :project and id = :id;

-- name: set_bundle
update run set bundle_digest = :bundle where project = :project and id = :id;

-- name: set_notes
update run set notes = :notes where project = :project and id = :id;

-- name: find_done
select r.id, a.digest, a.kind, a.codec, a.size_bytes, a.blob, a.inline, a.meta
from run r
join edge e on e.project = r.project and e.run = r.id and e.direction = 'out' and e.role = 'result'
join artifact a on a.project = e.project and a.digest = e.digest
where r.project = :project and r.key = :key and r.status = 'done' and r.key is not null and a.condemned_at is null
order by r.id desc limit 1;

-- SQLite would walk the primary key for the order, and so every run of the project; the index is named for that.
-- name: find_done (sqlite)
select r.id, a.digest, a.kind, a.codec, a.size_bytes, a.blob, a.inline, a.meta
from run r indexed by ix_run_key
join edge e on e.project = r.project and e.run = r.id and e.direction = 'out' and e.role = 'result'
join artifact a on a.project = e.project and a.digest = e.digest
where r.project = :project and r.key = :key and r.status = 'done' and r.key is not null and a.condemned_at is null
order by r.id desc limit 1;

-- name: recorded_steps
select r.id, r.path, r.kind, r.status, r.key, r.attempt, r.code_digest, r.reused_from, r.error, r.notes, r.parent,
    a.digest, a.kind, a.codec, a.size_bytes, a.blob, a.inline, a.meta, a.condemned_at
from run r
left join edge e on e.project = r.project and e.run = r.id and e.direction = 'out' and e.role = 'result'
left join artifact a on a.project = e.project and a.digest = e.digest
where r.project = :project and r.root = :root and r.id <> :root
order by r.id;

-- name: interrupt_steps
update run set status = 'interrupted', ended_at = :at
where project = :project and root = :root and id <> :root and status = 'running';

-- name: cancel_steps
update run set status = 'cancelled', ended_at = :at
where project = :project and root = :root and id <> :root and status in ('queued', 'running', 'waiting');

-- name: cancel_root
update run set status = 'cancelled', epoch = epoch + 1, ended_at = :at, lease_owner = null, lease_until = null
where project = :project and id = :id and status in ('queued', 'running', 'waiting', 'interrupted');

-- name: find_holder
select id, kind, name, root, status, epoch, lease_owner, lease_until, host, pid, params, seed, now_at, bundle_digest, error,
    code_digest, notes
from run where project = :project and id = :id;

-- name: take_over
update run set status = 'running', epoch = epoch + 1, attempt = attempt + 1, lease_owner = :lease_owner,
    lease_until = :lease_until, host = :host, pid = :pid, error = null, ended_at = null
where project = :project and id = :id and epoch = :epoch;

-- name: renew
update run set lease_until = :lease_until
where project = :project and id = :id and epoch = :epoch and status = 'running';

-- name: status_of
select status, epoch from run where project = :project and id = :id;

-- name: insert_edge
insert into edge (project, run, direction, role, digest, producer)
values (:project, :run, :direction, :role, :digest, :producer)
on conflict (project, run, direction, role) do nothing;

-- What a step says is written again when nobody knows whether it was: ordinals tell that it is the same.
-- name: insert_metric
insert into metric (project, run, key, ordinal, value, step, at)
values (:project, :run, :key, :ordinal, :value, :step, :at)
on conflict (project, run, key, ordinal) do nothing;

-- name: newest_metrics
select m.key, m.value from metric m
where m.project = :project and m.run = :run and m.ordinal = (
    select max(o.ordinal) from metric o where o.project = m.project and o.run = m.run and o.key = m.key);

-- name: insert_log
insert into log_chunk (project, run, ordinal, stream, content, at)
values (:project, :run, :ordinal, :stream, :content, :at)
on conflict (project, run, ordinal) do nothing;

-- name: logs_of
select ordinal, stream, content, at from log_chunk
where project = :project and run = :run and ordinal > :after order by ordinal;

-- name: insert_code_parts
insert into code_parts (project, digest, parts, recorded_at) values (:project, :digest, :parts, :at)
on conflict (project, digest) do nothing;

-- name: find_code_parts
select parts from code_parts where project = :project and digest = :digest;

-- What a step is compared with in a plan is looked for among the newest runs of its pipeline, not in all history.
-- name: newest_at_path
select s.id, s.key, s.key_parts, s.code_digest, s.params, s.seed
from (
    select id from run
    where project = :project and kind = 'pipeline' and parent is null and name = :pipeline
    order by id desc limit 20
) recent
join run s on s.project = :project and s.root = recent.id and s.path = :path
where s.kind = 'step' and s.status in ('done', 'cached') and s.key is not null
order by s.id desc limit 1;

-- name: newest_by_name
select s.id, s.key, s.key_parts, s.code_digest, s.params, s.seed
from (
    select id from run
    where project = :project and kind = 'pipeline' and parent is null and name = :pipeline
    order by id desc limit 20
) recent
join run s on s.project = :project and s.root = recent.id and s.name = :name
where s.kind = 'step' and s.status in ('done', 'cached') and s.key is not null
order by s.id desc limit 1;

-- name: save_checkpoint
insert into checkpoint (project, root, path, name, digest, run, recorded_at)
values (:project, :root, :path, :name, :digest, :run, :at)
on conflict (project, root, path, name) do update set
    digest = excluded.digest, run = excluded.run, recorded_at = excluded.recorded_at;

-- name: find_checkpoint
select digest from checkpoint where project = :project and root = :root and path = :path and name = :name;

-- name: slots_of
select s.number, s.run, case when r.status = 'running' and r.epoch = s.epoch and r.lease_until > :at then 1 else 0 end
from slot s left join run r on r.project = s.project and r.id = s.root
where s.project = :project and s.name = :name order by s.number;

-- name: take_slot
insert into slot (project, name, number, run, root, epoch, recorded_at)
values (:project, :name, :number, :run, :root, :epoch, :at)
on conflict (project, name, number) do nothing;

-- name: free_slot
delete from slot where project = :project and name = :name and number = :number and run = :run;

-- name: free_slots_of
delete from slot where project = :project and run = :run;

-- name: insert_waiting
insert into waiting (project, run, root, kind, subject, request, due_at, position, recorded_at)
values (:project, :run, :root, :kind, :subject, :request, :due_at, :position, :at);

-- name: find_waiting
select kind, subject, request, due_at, position, answer, answered_at from waiting
where project = :project and run = :run;

-- name: open_waits
select run, root, kind, subject, request, due_at, position from waiting
where project = :project and answered_at is null order by run;

-- name: answered_waits
select w.run, w.root from waiting w join run r on r.project = w.project and r.id = w.root
where w.project = :project and w.answered_at is not null and r.status = 'waiting' order by w.run;

-- name: answer_waiting
update waiting set answer = :answer, actor = :actor, answered_at = :at
where project = :project and run = :run and answered_at is null;

-- name: suspend_root
update run set status = 'waiting', lease_owner = null, lease_until = null
where project = :project and id = :id and epoch = :epoch and status = 'running';

-- name: insert_publication
insert into publication (project, id, bundle, environment, interpreter, targets, actor, recorded_at)
values (:project, :id, :bundle, :environment, :interpreter, :targets, :actor, :at);

-- name: find_publication
select id, bundle, environment, interpreter, targets, actor, recorded_at from publication
where project = :project and id = :id;

-- name: newest_publication
select id, bundle, environment, interpreter, targets, actor, recorded_at from publication
where project = :project order by id desc limit 1;

-- name: schedules
select pipeline, cron, timezone, publication, params, since_at, next_at, paused_at from schedule
where project = :project order by pipeline, cron, timezone;

-- name: due_schedules
select pipeline, cron, timezone, publication, params, since_at, next_at, paused_at from schedule
where project = :project and next_at <= :at and paused_at is null order by next_at;

-- name: put_schedule
insert into schedule (project, pipeline, cron, timezone, publication, params, since_at, next_at)
values (:project, :pipeline, :cron, :timezone, :publication, :params, :at, :next_at)
on conflict (project, pipeline, cron, timezone) do update set
    publication = excluded.publication, params = excluded.params;

-- name: advance_schedule
update schedule set next_at = :next_at
where project = :project and pipeline = :pipeline and cron = :cron and timezone = :timezone and next_at = :seen_at;

-- name: pause_schedule
update schedule set paused_at = :paused_at where project = :project and pipeline = :pipeline;

-- name: drop_schedule
delete from schedule where project = :project and pipeline = :pipeline and cron = :cron and timezone = :timezone;

-- name: triggers
select pipeline, kind, subject, publication, params, position, paused_at, counts, at_least, share, counted, total
from trigger
where project = :project order by pipeline, kind, subject;

-- name: put_trigger
insert into trigger (project, pipeline, kind, subject, publication, params, position, counts, at_least, share, counted,
    total)
values (:project, :pipeline, :kind, :subject, :publication, :params, :position, :counts, :at_least, :share, 0, :total)
on conflict (project, pipeline, kind, subject) do update set
    publication = excluded.publication, params = excluded.params, counts = excluded.counts,
    at_least = excluded.at_least, share = excluded.share;

-- name: advance_trigger
update trigger set position = :position, counted = counted + :more
where project = :project and pipeline = :pipeline and kind = :kind and subject = :subject and position < :position;

-- name: counted_of_trigger
select counted, total from trigger
where project = :project and pipeline = :pipeline and kind = :kind and subject = :subject;

-- name: restart_counts
update trigger set total = total + counted, counted = 0 where project = :project and pipeline = :pipeline;

-- name: put_start_policy
insert into start_policy (project, pipeline, limits, data_window, claims)
values (:project, :pipeline, :limits, :window, 0)
on conflict (project, pipeline) do update set limits = excluded.limits, data_window = excluded.data_window;

-- name: find_start_policy
select limits, data_window from start_policy where project = :project and pipeline = :pipeline;

-- name: lock_start_policy
update start_policy set claims = claims + 1 where project = :project and pipeline = :pipeline;

-- name: last_start
select max(moment) from (
    select coalesce(now_at, recorded_at) as moment from run
    where project = :project and kind = 'pipeline' and parent is null and name = :pipeline
    union all
    select moment_at from firing where project = :project and pipeline = :pipeline and state = 'claimed'
) as starts;

-- name: starts_since
select sum(n) from (
    select count(*) as n from run
    where project = :project and kind = 'pipeline' and parent is null and name = :pipeline
        and coalesce(now_at, recorded_at) > :since
    union all
    select count(*) from firing
    where project = :project and pipeline = :pipeline and state = 'claimed' and moment_at > :since
) as starts;

-- name: compute_since
select sum(coalesce(s.ended_at, :at) - s.started_at) from run r
join run s on s.project = r.project and s.root = r.id and s.kind = 'step' and s.status <> 'cached'
where r.project = :project and r.kind = 'pipeline' and r.parent is null and r.name = :pipeline
    and coalesce(r.now_at, r.recorded_at) > :since and s.started_at is not null;

-- name: pause_trigger
update trigger set paused_at = :paused_at where project = :project and pipeline = :pipeline;

-- name: drop_trigger
delete from trigger where project = :project and pipeline = :pipeline and kind = :kind and subject = :subject;

-- name: claim_firing
insert into firing (project, source, fire_at, id, pipeline, publication, params, state, caused_by, claimed_by,
    claimed_at, moment_at, reason, recorded_at)
values (:project, :source, :fire_at, :id, :pipeline, :publication, :params, :state, :caused_by, :claimed_by, :claimed_at,
    :moment_at, :reason, :at)
on conflict (project, source, fire_at) do nothing;

-- name: find_firing
select id, source, fire_at, pipeline, publication, params, state, caused_by, run, claimed_by, claimed_at, moment_at,
    reason from firing
where project = :project and id = :id;

-- name: firings
select id, source, fire_at, pipeline, publication, params, state, caused_by, run, claimed_by, claimed_at, moment_at,
    reason from firing
where project = :project order by id desc limit :limit;

-- name: firings_of
select id, source, fire_at, pipeline, publication, params, state, caused_by, run, claimed_by, claimed_at, moment_at,
    reason from firing
where project = :project and pipeline = :pipeline order by id desc limit :limit;

-- name: stale_firings
select id, source, fire_at, pipeline, publication, params, state, caused_by, run, claimed_by, claimed_at, moment_at,
    reason from firing
where project = :project and state = 'claimed' and claimed_at < :before order by id;

-- name: reclaim_firing
update firing set claimed_by = :claimed_by, claimed_at = :at
where project = :project and id = :id and state = 'claimed' and claimed_at = :seen_at;

-- name: start_firing
update firing set state = 'started', run = :run
where project = :project and id = :id and state = 'claimed' and run is null;

-- name: reopen_firing
update firing set state = 'claimed', claimed_by = :claimed_by, claimed_at = :at
where project = :project and id = :id and state = 'missed';

-- name: abandoned_runs
select r.id, f.publication, r.lease_until, r.epoch - coalesce((select max(s.epoch) from run s
    where s.project = r.project and s.root = r.id and s.id <> r.id and s.status = 'done'), 0)
from run r join firing f on f.project = r.project and f.run = r.id
where r.project = :project and r.status = 'running' and r.parent is null and r.lease_until < :at;

-- name: publication_of_run
select f.publication from firing f where f.project = :project and f.run = :run order by f.id desc limit 1;

-- name: firing_of_run
select id, source, fire_at, pipeline, publication, params, state, caused_by, run, claimed_by, claimed_at, moment_at,
    reason from firing
where project = :project and run = :run order by id;

-- name: next_pipeline
select min(name) from run
where project = :project and kind = 'pipeline' and parent is null and name > :after;

-- SQLite would walk all runs of pipelines by the index on kinds; by this one it reads one row.
-- name: next_pipeline (sqlite)
select min(name) from run indexed by ix_run_pipeline
where project = :project and kind = 'pipeline' and parent is null and name > :after;

-- name: newest_of_pipeline
select id, status, actor, caused_by, now_at, recorded_at, started_at, ended_at from run
where project = :project and kind = 'pipeline' and parent is null and name = :pipeline
order by id desc limit :limit;

-- name: runs_caused_by
select id, status, name, recorded_at from run where project = :project and caused_by = :cause order by id limit 100;

-- name: pass_schedule
update schedule set next_at = :next_at
where project = :project and pipeline = :pipeline and cron = :cron and timezone = :timezone;

-- What counts goes on counting from where it stood: what came meanwhile is still there to be learnt from.
-- name: pass_triggers
update trigger set position = :position
where project = :project and pipeline = :pipeline and counts is null and position < :position;

-- name: top_statuses
select status, count(*) from run where project = :project and root = :root and id <> :root group by status;
