-- What an import writes beside the verbs: the times and places of the store that it brings in.

-- name: insert_experiment
insert into experiment (project, number, name, artifact_location, lifecycle, created_ms, updated_ms)
values (:project, :number, :name, :artifact_location, :lifecycle, :created_ms, :updated_ms)
on conflict do nothing;

-- name: next_experiment
select max(number) + 1 from experiment where project = :project;

-- name: place_run
update tracked_run set artifact_uri = :artifact_uri where project = :project and run = :run;

-- name: place_logged_model
update logged_model set artifact_location = :artifact_location where project = :project and model = :model;

-- name: insert_output
insert into run_output (project, run_number, model, step, ordinal) values (:project, :number, :model, :step, :ordinal)
on conflict do nothing;

-- name: insert_model_metric
insert into logged_model_metric (project, model, name, at_ms, step, run, value, is_nan, dataset, dataset_name,
    dataset_digest, experiment)
values (:project, :model, :name, :at_ms, :step, :run, :value, :is_nan, null, :dataset_name, :dataset_digest, :experiment)
on conflict do nothing;

-- name: all_runs
select run from tracked_run where project = :project order by start_ms, run;

-- name: all_experiments
select number, name, artifact_location, lifecycle, created_ms, updated_ms from experiment
where project = :project order by number;

-- name: all_experiment_tags
select experiment, key, value from experiment_tag where project = :project order by experiment, key;

-- name: run_head
select number, deleted_ms from tracked_run where project = :project and run = :run;

-- name: all_logged_models
select model from logged_model where project = :project order by created_ms, model;

-- name: chunks_of_run
select points from metric_chunk where project = :project and run_number = :number order by id;

-- name: segments_of_run
select points from metric_segment where project = :project and run_number = :number order by key, id;

-- name: all_metric_keys
select number, name from metric_key where project = :project;

-- name: all_model_names
select name from registered_model where project = :project and deleted_at is null order by name;
