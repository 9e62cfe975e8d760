-- Walking down the graph, which the catalog's own statements walk up.

-- name: users_of
select run, role from edge
where project = :project and digest = :digest and producer = :producer and direction = 'in' order by run, role;

-- name: reusers
select run from edge
where project = :project and digest = :digest and producer = :producer and direction = 'out' and run <> :producer
order by run;

-- name: runs_of_bundle
select id from run where project = :project and bundle_digest = :digest order by id;

-- name: runs_caused_by
select id from run where project = :project and caused_by = :event and root = id order by id;

-- name: versions_of_digest
select m.name, v.number from model_version v join registered_model m on m.project = v.project and m.line = v.line
where v.project = :project and v.digest = :digest and v.deleted_at is null and m.deleted_at is null
order by m.name, v.number;
