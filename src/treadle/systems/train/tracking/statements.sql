-- The statements of tracking.

-- name: take_numbers
insert into tracking_counter (project, noun, next) values (:project, :noun, :after_first)
on conflict (project, noun) do update set next = tracking_counter.next + :count
returning next;

-- name: insert_experiment
insert into experiment (project, number, name, artifact_location, lifecycle, created_ms, updated_ms)
values (:project, :number, :name, :artifact_location, 'active', :at_ms, :at_ms)
on conflict do nothing;

-- The counter holds the numbers of those that are gone for good: none is given twice.
-- name: newest_experiment
select coalesce(max(number), -1) from (
    select max(number) as number from experiment where project = :project
    union all select next - 1 from tracking_counter where project = :project and noun = 'experiment'
) as numbers;

-- name: find_experiment
select number, name, artifact_location, lifecycle, created_ms, updated_ms from experiment
where project = :project and number = :number;

-- name: find_experiment_named
select number, name, artifact_location, lifecycle, created_ms, updated_ms from experiment
where project = :project and name = :name;

-- name: experiments
select number, name, artifact_location, lifecycle, created_ms, updated_ms from experiment
where project = :project and number in (select value from json_each(:numbers));

-- name: experiments (postgresql)
select number, name, artifact_location, lifecycle, created_ms, updated_ms from experiment
where project = :project and number in (select cast(v as bigint) from json_array_elements_text(cast(:numbers as json)) as j(v));

-- name: newest_experiments
select number, name, artifact_location, lifecycle, created_ms, updated_ms from experiment
where project = :project and (lifecycle = 'active' or :with_deleted = 1) and number < :before
order by number desc limit :limit;

-- name: rename_experiment
update experiment set name = :name, updated_ms = :at_ms
where project = :project and number = :number
    and not exists (select 1 from experiment where project = :project and name = :name and number <> :number);

-- name: move_experiment
update experiment set lifecycle = :lifecycle, updated_ms = :at_ms where project = :project and number = :number;

-- name: move_runs_of_experiment
update tracked_run set lifecycle = :lifecycle, deleted_ms = :deleted_ms
where project = :project and experiment = :number;

-- name: put_experiment_tag
insert into experiment_tag (project, experiment, key, value) values (:project, :number, :key, :value)
on conflict (project, experiment, key) do update set value = excluded.value;

-- name: delete_experiment_tag
delete from experiment_tag where project = :project and experiment = :number and key = :key;

-- name: tags_of_experiments
select experiment, key, value from experiment_tag
where project = :project and experiment in (select value from json_each(:numbers)) order by experiment, key;

-- name: tags_of_experiments (postgresql)
select experiment, key, value from experiment_tag
where project = :project
    and experiment in (select cast(v as bigint) from json_array_elements_text(cast(:numbers as json)) as j(v))
order by experiment, key;

-- name: insert_tracked_run
insert into tracked_run (project, number, run, experiment, name, status, user_id, origin, start_ms, end_ms, lifecycle,
    deleted_ms, artifact_uri)
values (:project, :number, :run, :experiment, :name, :status, :user_id, :origin, :start_ms, :end_ms, 'active', null,
    :artifact_uri);

-- name: run_to_write
select number, experiment, lifecycle, origin, status, name from tracked_run where project = :project and run = :run;

-- name: find_tracked_run
select number, run, experiment, name, status, user_id, start_ms, end_ms, lifecycle, artifact_uri
from tracked_run where project = :project and run = :run;

-- name: tracked_runs
select number, run, experiment, name, status, user_id, start_ms, end_ms, lifecycle, artifact_uri
from tracked_run where project = :project and number in (select value from json_each(:numbers));

-- name: tracked_runs (postgresql)
select number, run, experiment, name, status, user_id, start_ms, end_ms, lifecycle, artifact_uri
from tracked_run where project = :project
    and number in (select cast(v as bigint) from json_array_elements_text(cast(:numbers as json)) as j(v));

-- name: numbers_of_runs
select run, number from tracked_run
where project = :project and run in (select value from json_each(:runs));

-- name: numbers_of_runs (postgresql)
select run, number from tracked_run
where project = :project and run in (select v from json_array_elements_text(cast(:runs as json)) as j(v));

-- name: update_tracked_run
update tracked_run set status = coalesce(:status, status), end_ms = coalesce(:end_ms, end_ms),
    name = coalesce(:name, name)
where project = :project and number = :number;

-- name: move_tracked_run
update tracked_run set lifecycle = :lifecycle, deleted_ms = :deleted_ms where project = :project and number = :number;

-- name: insert_param
insert into run_param (project, run_number, key, value, experiment)
values (:project, :number, :key, :value, :experiment)
on conflict (project, run_number, key) do nothing;

-- name: find_param
select value from run_param where project = :project and run_number = :number and key = :key;

-- name: params_of_run
select key, value from run_param where project = :project and run_number = :number order by key;

-- name: params_of_runs
select run_number, key, value from run_param
where project = :project and run_number in (select value from json_each(:numbers)) order by run_number, key;

-- name: params_of_runs (postgresql)
select run_number, key, value from run_param
where project = :project
    and run_number in (select cast(v as bigint) from json_array_elements_text(cast(:numbers as json)) as j(v))
order by run_number, key;

-- name: put_tag
insert into run_tag (project, run_number, key, value, experiment)
values (:project, :number, :key, :value, :experiment)
on conflict (project, run_number, key) do update set value = excluded.value;

-- name: find_tag
select value from run_tag where project = :project and run_number = :number and key = :key;

-- name: delete_tag
delete from run_tag where project = :project and run_number = :number and key = :key;

-- name: tags_of_runs
select run_number, key, value from run_tag
where project = :project and run_number in (select value from json_each(:numbers)) order by run_number, key;

-- name: tags_of_runs (postgresql)
select run_number, key, value from run_tag
where project = :project
    and run_number in (select cast(v as bigint) from json_array_elements_text(cast(:numbers as json)) as j(v))
order by run_number, key;

-- name: find_metric_key
select number from metric_key where project = :project and name = :name;

-- name: metric_keys
select name, number from metric_key where project = :project and name in (select value from json_each(:names));

-- name: metric_keys (postgresql)
select name, number from metric_key
where project = :project and name in (select v from json_array_elements_text(cast(:names as json)) as j(v));

-- name: newest_metric_key
select coalesce(max(number), 0) from metric_key where project = :project;

-- name: insert_metric_key
insert into metric_key (project, number, name) values (:project, :number, :name) on conflict do nothing;

-- name: insert_chunk
insert into metric_chunk (project, run_number, id, count, points) values (:project, :number, :id, :count, :points);

-- name: put_latest
insert into metric_latest (project, run_number, key, value, is_nan, step, at_ms, low, high, first_step, last_step,
    experiment)
values (:project, :number, :key, :value, :is_nan, :step, :at_ms, :low, :high, :first_step, :last_step, :experiment)
on conflict (project, run_number, key) do update set
    value = case when (excluded.step, excluded.at_ms, excluded.value)
        > (metric_latest.step, metric_latest.at_ms, metric_latest.value) then excluded.value else metric_latest.value end,
    is_nan = case when (excluded.step, excluded.at_ms, excluded.value)
        > (metric_latest.step, metric_latest.at_ms, metric_latest.value) then excluded.is_nan else metric_latest.is_nan end,
    at_ms = case when (excluded.step, excluded.at_ms, excluded.value)
        > (metric_latest.step, metric_latest.at_ms, metric_latest.value) then excluded.at_ms else metric_latest.at_ms end,
    step = case when excluded.step > metric_latest.step then excluded.step else metric_latest.step end,
    low = case when metric_latest.low is null or excluded.low < metric_latest.low then excluded.low
        else metric_latest.low end,
    high = case when metric_latest.high is null or excluded.high > metric_latest.high then excluded.high
        else metric_latest.high end,
    first_step = case when excluded.first_step < metric_latest.first_step then excluded.first_step
        else metric_latest.first_step end,
    last_step = case when excluded.last_step > metric_latest.last_step then excluded.last_step
        else metric_latest.last_step end;

-- Many at once. SQLite is quicker with one statement a row.
-- name: put_latest_rows
insert into metric_latest (project, run_number, key, value, is_nan, step, at_ms, low, high, first_step, last_step,
    experiment)
select :project, :number, value ->> 'key', value ->> 'value', value ->> 'is_nan', value ->> 'step', value ->> 'at_ms',
    value ->> 'low', value ->> 'high', value ->> 'first_step', value ->> 'last_step', :experiment
from json_each(:rows) where true
on conflict (project, run_number, key) do update set
    value = case when (excluded.step, excluded.at_ms, excluded.value)
        > (metric_latest.step, metric_latest.at_ms, metric_latest.value) then excluded.value else metric_latest.value end,
    is_nan = case when (excluded.step, excluded.at_ms, excluded.value)
        > (metric_latest.step, metric_latest.at_ms, metric_latest.value) then excluded.is_nan else metric_latest.is_nan end,
    at_ms = case when (excluded.step, excluded.at_ms, excluded.value)
        > (metric_latest.step, metric_latest.at_ms, metric_latest.value) then excluded.at_ms else metric_latest.at_ms end,
    step = case when excluded.step > metric_latest.step then excluded.step else metric_latest.step end,
    low = case when metric_latest.low is null or excluded.low < metric_latest.low then excluded.low
        else metric_latest.low end,
    high = case when metric_latest.high is null or excluded.high > metric_latest.high then excluded.high
        else metric_latest.high end,
    first_step = case when excluded.first_step < metric_latest.first_step then excluded.first_step
        else metric_latest.first_step end,
    last_step = case when excluded.last_step > metric_latest.last_step then excluded.last_step
        else metric_latest.last_step end;

-- name: put_latest_rows (postgresql)
insert into metric_latest (project, run_number, key, value, is_nan, step, at_ms, low, high, first_step, last_step,
    experiment)
select :project, :number, r.key, r.value, r.is_nan, r.step, r.at_ms, r.low, r.high, r.first_step, r.last_step, :experiment
from json_to_recordset(cast(:rows as json)) as r(key bigint, value double precision, is_nan bigint, step bigint,
    at_ms bigint, low double precision, high double precision, first_step bigint, last_step bigint)
on conflict (project, run_number, key) do update set
    value = case when (excluded.step, excluded.at_ms, excluded.value)
        > (metric_latest.step, metric_latest.at_ms, metric_latest.value) then excluded.value else metric_latest.value end,
    is_nan = case when (excluded.step, excluded.at_ms, excluded.value)
        > (metric_latest.step, metric_latest.at_ms, metric_latest.value) then excluded.is_nan else metric_latest.is_nan end,
    at_ms = case when (excluded.step, excluded.at_ms, excluded.value)
        > (metric_latest.step, metric_latest.at_ms, metric_latest.value) then excluded.at_ms else metric_latest.at_ms end,
    step = case when excluded.step > metric_latest.step then excluded.step else metric_latest.step end,
    low = case when metric_latest.low is null or excluded.low < metric_latest.low then excluded.low
        else metric_latest.low end,
    high = case when metric_latest.high is null or excluded.high > metric_latest.high then excluded.high
        else metric_latest.high end,
    first_step = case when excluded.first_step < metric_latest.first_step then excluded.first_step
        else metric_latest.first_step end,
    last_step = case when excluded.last_step > metric_latest.last_step then excluded.last_step
        else metric_latest.last_step end;

-- name: latest_of_runs
select l.run_number, k.name, l.value, l.is_nan, l.at_ms, l.step
from metric_latest l join metric_key k on k.project = l.project and k.number = l.key
where l.project = :project and l.run_number in (select value from json_each(:numbers))
order by l.run_number, l.key;

-- name: latest_of_runs (postgresql)
select l.run_number, k.name, l.value, l.is_nan, l.at_ms, l.step
from metric_latest l join metric_key k on k.project = l.project and k.number = l.key
where l.project = :project
    and l.run_number in (select cast(v as bigint) from json_array_elements_text(cast(:numbers as json)) as j(v))
order by l.run_number, l.key;

-- name: series_of_run
select k.name, l.value, l.is_nan, l.at_ms, l.step, l.low, l.high, l.first_step, l.last_step
from metric_latest l join metric_key k on k.project = l.project and k.number = l.key
where l.project = :project and l.run_number = :number order by k.name;

-- name: latest_metric
select step from metric_latest where project = :project and run_number = :number and key = :key;

-- name: chunks_of_run
select points from metric_chunk where project = :project and run_number = :number order by id;

-- name: count_chunks
select count(*) from metric_chunk where project = :project and run_number = :number;

-- name: take_chunks
delete from metric_chunk
where project = :project and run_number = :number and id in (
    select id from metric_chunk where project = :project and run_number = :number order by id limit :most)
returning points;

-- name: take_small_chunks
delete from metric_chunk where project = :project and run_number = :number and count <= :most returning points;

-- name: segments_of_series
select points from metric_segment
where project = :project and run_number = :number and key = :key and first_step <= :last_step and last_step >= :first_step
order by id;

-- name: take_small_segments
delete from metric_segment
where project = :project and run_number = :number and count <= :most
    and key in (select value from json_each(:keys))
returning points;

-- name: take_small_segments (postgresql)
delete from metric_segment
where project = :project and run_number = :number and count <= :most
    and key in (select cast(v as bigint) from json_array_elements_text(cast(:keys as json)) as j(v))
returning points;

-- name: insert_segment
insert into metric_segment (project, run_number, key, id, count, first_step, last_step, first_ms, last_ms, low, high,
    points)
values (:project, :number, :key, :id, :count, :first_step, :last_step, :first_ms, :last_ms, :low, :high, :points);

-- name: insert_dataset
insert into tracked_dataset (project, experiment, name, digest, id, source_type, source, schema, profile)
values (:project, :experiment, :name, :digest, :id, :source_type, :source, :schema, :profile)
on conflict do nothing;

-- name: find_dataset
select id from tracked_dataset
where project = :project and experiment = :experiment and name = :name and digest = :digest;

-- name: insert_input
insert into run_input (project, run_number, kind, source, ordinal)
values (:project, :number, :kind, :source, :ordinal)
on conflict do nothing;

-- name: count_inputs
select count(*) from run_input where project = :project and run_number = :number;

-- name: insert_input_tag
insert into run_input_tag (project, run_number, source, name, value)
values (:project, :number, :source, :name, :value)
on conflict do nothing;

-- name: insert_output
insert into run_output (project, run_number, model, step, ordinal) values (:project, :number, :model, :step, :ordinal)
on conflict do nothing;

-- name: count_outputs
select count(*) from run_output where project = :project and run_number = :number;

-- name: datasets_of_runs
select i.run_number, d.id, d.name, d.digest, d.source_type, d.source, d.schema, d.profile
from run_input i join tracked_dataset d on d.project = i.project and d.id = i.source
where i.project = :project and i.kind = 'dataset' and i.run_number in (select value from json_each(:numbers))
order by i.run_number, i.ordinal;

-- name: datasets_of_runs (postgresql)
select i.run_number, d.id, d.name, d.digest, d.source_type, d.source, d.schema, d.profile
from run_input i join tracked_dataset d on d.project = i.project and d.id = i.source
where i.project = :project and i.kind = 'dataset'
    and i.run_number in (select cast(v as bigint) from json_array_elements_text(cast(:numbers as json)) as j(v))
order by i.run_number, i.ordinal;

-- name: input_tags_of_runs
select run_number, source, name, value from run_input_tag
where project = :project and run_number in (select value from json_each(:numbers)) order by run_number, source, name;

-- name: input_tags_of_runs (postgresql)
select run_number, source, name, value from run_input_tag
where project = :project
    and run_number in (select cast(v as bigint) from json_array_elements_text(cast(:numbers as json)) as j(v))
order by run_number, source, name;

-- name: models_of_runs
select run_number, source from run_input
where project = :project and kind = 'model' and run_number in (select value from json_each(:numbers))
order by run_number, ordinal;

-- name: models_of_runs (postgresql)
select run_number, source from run_input
where project = :project and kind = 'model'
    and run_number in (select cast(v as bigint) from json_array_elements_text(cast(:numbers as json)) as j(v))
order by run_number, ordinal;

-- name: outputs_of_runs
select run_number, model, step from run_output
where project = :project and run_number in (select value from json_each(:numbers)) order by run_number, ordinal;

-- name: outputs_of_runs (postgresql)
select run_number, model, step from run_output
where project = :project
    and run_number in (select cast(v as bigint) from json_array_elements_text(cast(:numbers as json)) as j(v))
order by run_number, ordinal;

-- name: dataset_summaries
select distinct d.experiment, d.name, d.digest, t.value
from tracked_dataset d
join run_input i on i.project = d.project and i.kind = 'dataset' and i.source = d.id
left join run_input_tag t on t.project = i.project and t.run_number = i.run_number and t.source = i.source
    and t.name = 'mlflow.data.context'
where d.project = :project and d.experiment in (select value from json_each(:numbers))
order by d.experiment, d.name, d.digest, t.value limit :limit;

-- name: dataset_summaries (postgresql)
select distinct d.experiment, d.name, d.digest, t.value
from tracked_dataset d
join run_input i on i.project = d.project and i.kind = 'dataset' and i.source = d.id
left join run_input_tag t on t.project = i.project and t.run_number = i.run_number and t.source = i.source
    and t.name = 'mlflow.data.context'
where d.project = :project
    and d.experiment in (select cast(v as bigint) from json_array_elements_text(cast(:numbers as json)) as j(v))
order by d.experiment, d.name, d.digest, t.value limit :limit;

-- name: insert_logged_model
insert into logged_model (project, model, experiment, name, artifact_location, created_ms, updated_ms, status, lifecycle,
    model_type, source_run, status_message)
values (:project, :model, :experiment, :name, :artifact_location, :created_ms, :updated_ms, :status, :lifecycle,
    :model_type, :source_run, :status_message);

-- name: find_logged_model
select model, experiment, name, artifact_location, created_ms, updated_ms, status, lifecycle, model_type, source_run,
    status_message
from logged_model where project = :project and model = :model;

-- name: logged_models
select model, experiment, name, artifact_location, created_ms, updated_ms, status, lifecycle, model_type, source_run,
    status_message
from logged_model where project = :project and model in (select value from json_each(:models));

-- name: logged_models (postgresql)
select model, experiment, name, artifact_location, created_ms, updated_ms, status, lifecycle, model_type, source_run,
    status_message
from logged_model where project = :project
    and model in (select v from json_array_elements_text(cast(:models as json)) as j(v));

-- name: settle_logged_model
update logged_model set status = :status, updated_ms = :at_ms where project = :project and model = :model;

-- name: delete_logged_model
update logged_model set lifecycle = 'deleted', updated_ms = :at_ms where project = :project and model = :model;

-- name: insert_model_param
insert into logged_model_param (project, model, key, value, experiment)
values (:project, :model, :key, :value, :experiment);

-- name: put_model_tag
insert into logged_model_tag (project, model, key, value, experiment)
values (:project, :model, :key, :value, :experiment)
on conflict (project, model, key) do update set value = excluded.value;

-- name: delete_model_tag
delete from logged_model_tag where project = :project and model = :model and key = :key;

-- name: insert_model_metric
insert into logged_model_metric (project, model, name, at_ms, step, run, value, is_nan, dataset, dataset_name,
    dataset_digest, experiment)
values (:project, :model, :name, :at_ms, :step, :run, :value, :is_nan, :dataset, :dataset_name, :dataset_digest,
    :experiment)
on conflict do nothing;

-- name: params_of_models
select model, key, value from logged_model_param
where project = :project and model in (select value from json_each(:models)) order by model, key;

-- name: params_of_models (postgresql)
select model, key, value from logged_model_param
where project = :project and model in (select v from json_array_elements_text(cast(:models as json)) as j(v))
order by model, key;

-- name: tags_of_models
select model, key, value from logged_model_tag
where project = :project and model in (select value from json_each(:models)) order by model, key;

-- name: tags_of_models (postgresql)
select model, key, value from logged_model_tag
where project = :project and model in (select v from json_array_elements_text(cast(:models as json)) as j(v))
order by model, key;

-- name: metrics_of_models
select model, name, value, is_nan, at_ms, step, run, dataset_name, dataset_digest from logged_model_metric
where project = :project and model in (select value from json_each(:models)) order by model, name, at_ms, step, run;

-- name: metrics_of_models (postgresql)
select model, name, value, is_nan, at_ms, step, run, dataset_name, dataset_digest from logged_model_metric
where project = :project and model in (select v from json_array_elements_text(cast(:models as json)) as j(v))
order by model, name, at_ms, step, run;
