-- Endpoints: their revisions and routes.

-- name: insert_revision
insert into endpoint_revision (project, endpoint, number, id, model, model_version, model_digest, engine, bundle, threads,
    actor, recorded_at)
values (:project, :endpoint, :number, :id, :model, :model_version, :model_digest, :engine, :bundle, :threads, :actor,
    :recorded_at)
on conflict do nothing;

-- name: revisions_of
select id, endpoint, number, model, model_version, model_digest, engine, bundle, threads, actor, recorded_at
from endpoint_revision where project = :project and endpoint = :endpoint order by number;

-- name: deployed_digests
select distinct model_digest from endpoint_revision where project = :project order by model_digest;

-- name: insert_route
insert into endpoint_route (project, endpoint, number, digest, document, kind, restores, reason, actor, recorded_at)
values (:project, :endpoint, :number, :digest, :document, :kind, :restores, :reason, :actor, :recorded_at)
on conflict do nothing;

-- name: newest_route
select endpoint, number, digest, document, kind, restores, reason, actor, recorded_at
from endpoint_route where project = :project and endpoint = :endpoint order by number desc limit 1;

-- name: find_route
select endpoint, number, digest, document, kind, restores, reason, actor, recorded_at
from endpoint_route where project = :project and endpoint = :endpoint and number = :number;

-- name: routes_of
select endpoint, number, digest, document, kind, restores, reason, actor, recorded_at
from endpoint_route where project = :project and endpoint = :endpoint order by number;

-- name: endpoint_names
select endpoint, min(recorded_at) from endpoint_route where project = :project group by endpoint order by endpoint;
