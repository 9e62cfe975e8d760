-- The registry.

-- name: insert_version
insert into model_version (project, model, number, digest, signature, probe, card, metrics, data, reference, description,
    run, root, actor, recorded_at)
values (:project, :model, :number, :digest, :signature, :probe, :card, :metrics, :data, :reference, :description, :run,
    :root, :actor, :recorded_at)
on conflict do nothing;

-- name: newest_number
select coalesce(max(number), 0) from model_version where project = :project and model = :model;

-- name: version_of_root
select project, model, number, digest, signature, probe, card, metrics, data, reference, description, run, root, actor,
    recorded_at
from model_version where project = :project and model = :model and root = :root and digest = :digest;

-- name: find_version
select project, model, number, digest, signature, probe, card, metrics, data, reference, description, run, root, actor,
    recorded_at
from model_version where project = :project and model = :model and number = :number;

-- name: versions_of
select project, model, number, digest, signature, probe, card, metrics, data, reference, description, run, root, actor,
    recorded_at
from model_version where project = :project and model = :model order by number desc;

-- name: versions
select project, model, number, digest, signature, probe, card, metrics, data, reference, description, run, root, actor,
    recorded_at
from model_version where project = :project order by model, number;

-- name: versions_of_run
select project, model, number, digest, signature, probe, card, metrics, data, reference, description, run, root, actor,
    recorded_at
from model_version where project = :project and (run = :run or root = :run) order by model, number;

-- name: models
select model, max(number), count(*), min(recorded_at) from model_version where project = :project
group by model order by model;
