-- The registry. A model is found by the name that it has now; its rows hang on its line, which never changes.

-- name: find_model
select line, name, description, created_ms, updated_ms, actor
from registered_model where project = :project and name = :name and deleted_at is null;

-- name: find_line
select line, name, description, created_ms, updated_ms, actor
from registered_model where project = :project and line = :line and deleted_at is null;

-- name: find_namesakes
select line from registered_model where project = :project and line >= :low and line < :high;

-- name: insert_model
insert into registered_model (project, line, name, description, created_ms, updated_ms, actor)
values (:project, :line, :name, :description, :created_ms, :updated_ms, :actor)
on conflict do nothing;

-- name: touch_model
update registered_model set updated_ms = :updated_ms where project = :project and line = :line;

-- name: describe_model
update registered_model set description = :description, updated_ms = :updated_ms
where project = :project and line = :line;

-- name: rename_model
update registered_model set name = :name, updated_ms = :updated_ms where project = :project and line = :line;

-- name: delete_model
update registered_model set deleted_at = :at, updated_ms = :updated_ms where project = :project and line = :line;

-- name: models
select m.line, m.name, coalesce(max(v.number), 0), count(v.number), m.created_ms
from registered_model m
left join model_version v on v.project = m.project and v.line = m.line and v.deleted_at is null
where m.project = :project and m.deleted_at is null and not exists (
    select 1 from model_tag t where t.project = m.project and t.line = m.line and t.number = 0
        and t.key = 'mlflow.prompt.is_prompt' and t.value = 'true')
group by m.line, m.name, m.created_ms order by m.name;

-- name: insert_version
insert into model_version (project, line, number, digest, signature, probe, card, metrics, data, reference, description,
    run, root, actor, recorded_at, stage, source, location, run_id, run_link, logged_model, size_bytes, facts, created_ms,
    updated_ms)
values (:project, :line, :number, :digest, :signature, :probe, :card, :metrics, :data, :reference, :description, :run,
    :root, :actor, :recorded_at, :stage, :source, :location, :run_id, :run_link, :logged_model, :size_bytes, :facts,
    :created_ms, :updated_ms)
on conflict do nothing;

-- name: newest_number
select coalesce(max(number), 0) from model_version where project = :project and line = :line;

-- name: newest_version
select max(number) from model_version where project = :project and line = :line and deleted_at is null;

-- name: version_of_root
select v.project, m.name, v.line, v.number, v.digest, v.signature, v.probe, v.card, v.metrics, v.data, v.reference,
    v.description, v.run, v.root, v.actor, v.recorded_at, v.stage, v.source, v.location, v.run_id, v.run_link,
    v.logged_model, v.size_bytes, v.facts, v.created_ms, v.updated_ms
from model_version v join registered_model m on m.project = v.project and m.line = v.line
where v.project = :project and v.line = :line and v.root = :root and v.digest = :digest and v.deleted_at is null;

-- name: find_version
select v.project, m.name, v.line, v.number, v.digest, v.signature, v.probe, v.card, v.metrics, v.data, v.reference,
    v.description, v.run, v.root, v.actor, v.recorded_at, v.stage, v.source, v.location, v.run_id, v.run_link,
    v.logged_model, v.size_bytes, v.facts, v.created_ms, v.updated_ms
from model_version v join registered_model m on m.project = v.project and m.line = v.line
where v.project = :project and v.line = :line and v.number = :number and v.deleted_at is null;

-- name: versions_of
select v.project, m.name, v.line, v.number, v.digest, v.signature, v.probe, v.card, v.metrics, v.data, v.reference,
    v.description, v.run, v.root, v.actor, v.recorded_at, v.stage, v.source, v.location, v.run_id, v.run_link,
    v.logged_model, v.size_bytes, v.facts, v.created_ms, v.updated_ms
from model_version v join registered_model m on m.project = v.project and m.line = v.line
where v.project = :project and v.line = :line and v.deleted_at is null order by v.number desc;

-- The newest version of each stage, in the order in which the stages were first used.
-- name: latest_of
select v.project, m.name, v.line, v.number, v.digest, v.signature, v.probe, v.card, v.metrics, v.data, v.reference,
    v.description, v.run, v.root, v.actor, v.recorded_at, v.stage, v.source, v.location, v.run_id, v.run_link,
    v.logged_model, v.size_bytes, v.facts, v.created_ms, v.updated_ms
from (
    select max(number) as newest, min(number) as oldest from model_version
    where project = :project and line = :line and deleted_at is null group by stage) s
join model_version v on v.project = :project and v.line = :line and v.number = s.newest
join registered_model m on m.project = v.project and m.line = v.line
order by s.oldest;

-- name: versions
select v.project, m.name, v.line, v.number, v.digest, v.signature, v.probe, v.card, v.metrics, v.data, v.reference,
    v.description, v.run, v.root, v.actor, v.recorded_at, v.stage, v.source, v.location, v.run_id, v.run_link,
    v.logged_model, v.size_bytes, v.facts, v.created_ms, v.updated_ms
from model_version v join registered_model m on m.project = v.project and m.line = v.line
where v.project = :project and v.deleted_at is null and m.deleted_at is null order by m.name, v.number;

-- name: versions_of_run
select v.project, m.name, v.line, v.number, v.digest, v.signature, v.probe, v.card, v.metrics, v.data, v.reference,
    v.description, v.run, v.root, v.actor, v.recorded_at, v.stage, v.source, v.location, v.run_id, v.run_link,
    v.logged_model, v.size_bytes, v.facts, v.created_ms, v.updated_ms
from model_version v join registered_model m on m.project = v.project and m.line = v.line
where v.project = :project and (v.run = :run or v.root = :run) and v.deleted_at is null order by m.name, v.number;

-- name: describe_version
update model_version set description = :description, updated_ms = :updated_ms
where project = :project and line = :line and number = :number;

-- name: place_version
update model_version set location = :location, size_bytes = :size_bytes, facts = :facts
where project = :project and line = :line and number = :number and location is null;

-- name: stage_version
update model_version set stage = :stage, updated_ms = :updated_ms
where project = :project and line = :line and number = :number;

-- name: numbers_in_stage
select number from model_version
where project = :project and line = :line and stage = :stage and deleted_at is null order by number;

-- name: touch_versions
update model_version set updated_ms = :updated_ms where project = :project and line = :line and deleted_at is null;

-- name: delete_version
update model_version set deleted_at = :at, updated_ms = :updated_ms
where project = :project and line = :line and number = :number;

-- name: delete_versions
update model_version set deleted_at = :at, updated_ms = :updated_ms
where project = :project and line = :line and deleted_at is null;

-- name: set_tag
insert into model_tag (project, line, number, key, value) values (:project, :line, :number, :key, :value)
on conflict (project, line, number, key) do update set value = excluded.value;

-- name: find_tag
select value from model_tag where project = :project and line = :line and number = :number and key = :key;

-- name: delete_tag
delete from model_tag where project = :project and line = :line and number = :number and key = :key;

-- name: tags_of
select key, value from model_tag where project = :project and line = :line and number = :number order by key;

-- name: tags_of_line
select number, key, value from model_tag where project = :project and line = :line order by number, key;
