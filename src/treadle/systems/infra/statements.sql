-- Clean-up follows roots. What the kernel itself needs is asked here; each system says what it needs through its port.

-- name: needed_by_refs
select target from ref where project = :project and substr(target, 1, 7) = 'sha256:';

-- Steps of a run that is not over are needed however old they are: their handles are in some process's hands.
-- name: needed_by_runs
select e.digest from edge e join run r on r.project = e.project and r.id = e.run
join run o on o.project = r.project and o.id = r.root
where e.project = :project and (r.recorded_at >= :since or o.status in ('queued', 'running', 'waiting'));

-- name: needed_as_arguments
select params from run where project = :project and replace(params, '"$artifact"', '') <> params
    and (recorded_at >= :since or status in ('queued', 'running', 'waiting'));

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
where c.project = :project and r.status <> 'done'
    and (c.recorded_at >= :since or r.status in ('queued', 'running', 'waiting'));

-- name: naming_snapshots (sqlite)
select digest, inline from artifact where project = :project and inline is not null and instr(inline, x'736e61705f') > 0;
-- name: naming_snapshots (postgresql)
select digest, inline from artifact
where project = :project and inline is not null and position('\x736e61705f'::bytea in inline) > 0;

-- name: artifacts
select digest, size_bytes, recorded_at, condemned_at, codec from artifact where project = :project;

-- name: condemn
update artifact set condemned_at = :at where project = :project and digest = :digest and condemned_at is null;

-- name: reprieve
update artifact set condemned_at = null where project = :project and digest = :digest;

-- name: delete_artifact
delete from artifact where project = :project and digest = :digest and condemned_at is not null and condemned_at < :before;

-- name: blob_in_use
select 1 from artifact where blob = :blob limit 1;

-- Of every project: blobs are shared.
-- name: every_artifact
select digest, kind, codec, size_bytes, blob, inline, meta from artifact where blob is not null or inline is not null;

-- name: stored
select digest, kind, codec, size_bytes, blob, inline, meta from artifact
where project = :project and condemned_at is null and (blob is not null or inline is not null) order by digest;

-- name: look_at_pages (sqlite)
pragma quick_check(1);
-- name: look_at_pages (postgresql)
select 'ok';

-- name: count_refs
select count(*) from ref where project = :project;

-- name: refs_astray
select r.name from ref r
left join ref_move m on m.project = r.project and m.name = r.name and m.epoch = r.epoch
left join event v on v.project = m.project and v.id = m.event
where r.project = :project and (m.epoch is null or coalesce(m.target, '') <> r.target or v.id is null
    or exists (select 1 from ref_move n where n.project = r.project and n.name = r.name and n.epoch > r.epoch))
order by r.name;

-- name: expired_leases
select id, lease_owner from run
where project = :project and status = 'running' and parent is null and lease_until < :at;
