-- Clean-up follows roots. What the kernel itself needs is asked here; each system says what it needs through its port.

-- name: needed_by_refs
select target from ref where project = :project and target like 'sha256:_%';

-- name: needed_by_runs
select e.digest from edge e join run r on r.project = e.project and r.id = e.run
where e.project = :project and (r.recorded_at >= :since or r.status in ('queued', 'running', 'waiting'));

-- name: needed_as_code
select bundle_digest from run where project = :project and bundle_digest is not null
    and (recorded_at >= :since or status in ('queued', 'running', 'waiting'));

-- name: needed_as_environment
select environment_digest from run where project = :project and environment_digest is not null
    and (recorded_at >= :since or status in ('queued', 'running', 'waiting'));

-- name: needed_by_publications
select bundle from publication where project = :project;

-- name: needed_by_publications_environment
select environment from publication where project = :project and environment is not null;

-- name: needed_by_checkpoints
select c.digest from checkpoint c join run r on r.project = c.project and r.id = c.root
where c.project = :project and r.status <> 'done';

-- name: needed_of_run
select digest from edge where project = :project and run = :run;

-- name: artifacts
select digest, size_bytes, recorded_at, condemned_at from artifact where project = :project;

-- name: condemn
update artifact set condemned_at = :at where project = :project and digest = :digest and condemned_at is null;

-- name: reprieve
update artifact set condemned_at = null where project = :project and digest = :digest;

-- name: doomed
select digest, blob, size_bytes from artifact
where project = :project and condemned_at is not null and condemned_at < :before;

-- name: delete_artifact
delete from artifact where project = :project and digest = :digest and condemned_at is not null and condemned_at < :before;

-- name: blobs_in_use
select distinct blob from artifact where blob is not null;

-- name: blob_in_use
select 1 from artifact where blob = :blob limit 1;

-- name: stored
select digest, blob, inline, codec, kind, size_bytes, meta from artifact
where project = :project and condemned_at is null order by digest;

-- name: expired_leases
select id, lease_owner from run
where project = :project and status = 'running' and parent is null and lease_until < :at;

-- name: projects
select distinct project from event;
