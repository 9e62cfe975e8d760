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

-- name: versions_of_digest
select model, number from model_version where project = :project and digest = :digest order by model, number;
