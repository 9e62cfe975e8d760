-- The statements of the catalog.

-- name: find_artifact
select digest, kind, codec, size_bytes, blob, inline, meta
from artifact where project = :project and digest = :digest and condemned_at is null;

-- Recording content anew revives it, and makes it young again (once a day is enough): whoever has just recorded it is
-- about to say what it is for, and clean-up must not come in between.
-- name: record_artifact
insert into artifact (project, digest, kind, codec, size_bytes, blob, inline, meta, recorded_at)
values (:project, :digest, :kind, :codec, :size_bytes, :blob, :inline, :meta, :recorded_at)
on conflict (project, digest) do update set
    condemned_at = null,
    recorded_at = excluded.recorded_at,
    codec = excluded.codec,
    size_bytes = excluded.size_bytes,
    blob = excluded.blob,
    inline = excluded.inline,
    meta = excluded.meta
where artifact.condemned_at is not null or (artifact.blob is null and artifact.inline is null)
    or artifact.recorded_at < excluded.recorded_at - 86400000000;

-- name: find_run
select project, id, kind, name, path, parent, root, status, attempt, epoch, key, key_parts, code_digest, bundle_digest,
    environment_digest, params, seed, now_at, actor, host, pid, caused_by, reused_from, notes, error, event_at,
    recorded_at, started_at, ended_at, lease_owner, lease_until
from run where project = :project and id = :id;

-- name: top_runs
select project, id, kind, name, path, parent, root, status, attempt, epoch, key, key_parts, code_digest, bundle_digest,
    environment_digest, params, seed, now_at, actor, host, pid, caused_by, reused_from, notes, error, event_at,
    recorded_at, started_at, ended_at, lease_owner, lease_until
from run where project = :project and kind = :kind and parent is null and id < :before order by id desc limit :limit;

-- name: top_runs_like
select project, id, kind, name, path, parent, root, status, attempt, epoch, key, key_parts, code_digest, bundle_digest,
    environment_digest, params, seed, now_at, actor, host, pid, caused_by, reused_from, notes, error, event_at,
    recorded_at, started_at, ended_at, lease_owner, lease_until
from run where project = :project and kind = :kind and parent is null and id < :before
    and (:status = '' or status = :status) and lower(name) like :name escape '!' order by id desc limit :limit;

-- name: edges_of_root
select e.run, e.direction, e.role, e.digest, e.producer, a.kind, a.codec, a.size_bytes, a.meta,
    case when a.size_bytes <= :longest then a.inline end, a.condemned_at
from run r join edge e on e.project = r.project and e.run = r.id
left join artifact a on a.project = e.project and a.digest = e.digest
where r.project = :project and r.root = :root order by r.id, e.direction, e.role;

-- SQLite would begin with every edge of the project; a cross join keeps it to this order.
-- name: edges_of_root (sqlite)
select e.run, e.direction, e.role, e.digest, e.producer, a.kind, a.codec, a.size_bytes, a.meta,
    case when a.size_bytes <= :longest then a.inline end, a.condemned_at
from run r cross join edge e on e.project = r.project and e.run = r.id
left join artifact a on a.project = e.project and a.digest = e.digest
where r.project = :project and r.root = :root order by r.id, e.direction, e.role;

-- name: runs_of_root
select project, id, kind, name, path, parent, root, status, attempt, epoch, key, key_parts, code_digest, bundle_digest,
    environment_digest, params, seed, now_at, actor, host, pid, caused_by, reused_from, notes, error, event_at,
    recorded_at, started_at, ended_at, lease_owner, lease_until
from run where project = :project and root = :root and id <> :root order by id;

-- name: logs_of_root
select l.run, r.path, l.ordinal, l.stream, l.content, l.at
from log_chunk l join run r on r.project = l.project and r.id = l.run
where l.project = :project and r.root = :root and l.at >= :since order by l.at, l.run, l.ordinal;

-- name: insert_run
insert into run (project, id, kind, name, path, parent, root, status, attempt, epoch, key, key_parts, code_digest,
    bundle_digest, environment_digest, params, seed, now_at, actor, host, pid, caused_by, reused_from, notes, error,
    event_at, recorded_at, started_at, ended_at, lease_owner, lease_until)
values (:project, :id, :kind, :name, :path, :parent, :root, :status, :attempt, :epoch, :key, :key_parts, :code_digest,
    :bundle_digest, :environment_digest, :params, :seed, :now_at, :actor, :host, :pid, :caused_by, :reused_from, :notes,
    :error, :event_at, :recorded_at, :started_at, :ended_at, :lease_owner, :lease_until);

-- name: settle_run
update run set status = :status, name = :name, params = :params, ended_at = :ended_at
where project = :project and id = :id;

-- name: record_edge
insert into edge (project, run, direction, role, digest, producer)
values (:project, :run, :direction, :role, :digest, :producer)
on conflict (project, run, direction, role) do nothing;

-- name: edges_of_run
select run, direction, role, digest, producer from edge
where project = :project and run = :run order by direction, role;

-- name: edges_of_digest
select run, direction, role, digest, producer from edge
where project = :project and digest = :digest order by run, direction, role;

-- name: find_ref
select name, target, epoch, protection, updated_at from ref
where project = :project and name = :name and target <> '';

-- name: find_ref_epoch
select epoch, target, protection from ref where project = :project and name = :name;

-- name: list_refs
select name, target, epoch, protection, updated_at from ref
where project = :project and name >= :low and name < :high and target <> '' order by name;

-- name: insert_ref
insert into ref (project, name, target, epoch, updated_at)
values (:project, :name, :target, :epoch + 1, :updated_at);

-- name: move_ref
update ref set target = :target, epoch = epoch + 1, updated_at = :updated_at
where project = :project and name = :name and epoch = :epoch;

-- name: protect_ref
update ref set protection = :protection where project = :project and name = :name;

-- name: insert_move
insert into ref_move (project, name, epoch, previous, target, actor, reason, evidence, event, recorded_at)
values (:project, :name, :epoch, :previous, :target, :actor, :reason, :evidence, :event, :recorded_at);

-- name: list_moves
select name, epoch, previous, target, actor, reason, evidence, event, recorded_at
from ref_move where project = :project and name = :name order by epoch;

-- name: insert_evidence
insert into evidence (project, id, subject, digest, kind, verdict, body, run, actor, recorded_at)
values (:project, :id, :subject, :digest, :kind, :verdict, :body, :run, :actor, :recorded_at);

-- name: evidence_about
select id, digest, kind, verdict, body, run, actor, recorded_at
from evidence where project = :project and subject = :subject order by id;

-- name: evidence_verdicts
select kind, verdict, actor from evidence where project = :project and subject = :subject order by id;
