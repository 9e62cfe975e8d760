-- Files of tracking: what lies at which path.

-- name: find_file
select folder, name, blob, size_bytes, actor, recorded_at from stored_file
where project = :project and folder = :folder and name = :name;

-- name: put_file
insert into stored_file (project, folder, name, blob, size_bytes, actor, recorded_at)
values (:project, :folder, :name, :blob, :size_bytes, :actor, :recorded_at)
on conflict (project, folder, name) do update set
    blob = excluded.blob,
    size_bytes = excluded.size_bytes,
    actor = excluded.actor,
    recorded_at = excluded.recorded_at;

-- name: files_in
select folder, name, blob, size_bytes, actor, recorded_at from stored_file
where project = :project and folder = :folder;

-- name: folders_in
select folder from stored_folder where project = :project and parent = :folder;

-- A cross join keeps its order in SQLite: the folders first, then the files of each.
-- name: files_below
with recursive tree (folder) as (
    select cast(:folder as text)
    union all
    select f.folder from stored_folder f join tree t on f.parent = t.folder where f.project = :project
)
select s.folder, s.name, s.blob, s.size_bytes, s.actor, s.recorded_at
from tree t cross join stored_file s where s.project = :project and s.folder = t.folder;

-- name: sum_below
with recursive tree (folder) as (
    select cast(:folder as text)
    union all
    select f.folder from stored_folder f join tree t on f.parent = t.folder where f.project = :project
)
select count(*), coalesce(sum(s.size_bytes), 0)
from tree t cross join stored_file s where s.project = :project and s.folder = t.folder;

-- name: sealed_below
with recursive tree (folder) as (
    select cast(:folder as text)
    union all
    select f.folder from stored_folder f join tree t on f.parent = t.folder where f.project = :project
)
select s.folder from tree t cross join stored_folder s
where s.project = :project and s.folder = t.folder and s.sealed_at is not null limit 1;

-- name: seal_below
update stored_folder set sealed_at = coalesce(sealed_at, :at) where project = :project and folder in (
    with recursive tree (folder) as (
        select cast(:folder as text)
        union all
        select f.folder from stored_folder f join tree t on f.parent = t.folder where f.project = :project
    )
    select folder from tree
);

-- name: delete_files_below
delete from stored_file where project = :project and folder in (
    with recursive tree (folder) as (
        select cast(:folder as text)
        union all
        select f.folder from stored_folder f join tree t on f.parent = t.folder where f.project = :project
    )
    select folder from tree
);

-- name: delete_folders_below
delete from stored_folder where project = :project and folder in (
    with recursive tree (folder) as (
        select cast(:folder as text)
        union all
        select f.folder from stored_folder f join tree t on f.parent = t.folder where f.project = :project
    )
    select folder from tree
);

-- name: delete_file
delete from stored_file where project = :project and folder = :folder and name = :name;

-- name: find_folder
select folder, parent, sealed_at from stored_folder where project = :project and folder = :folder;

-- name: add_folder
insert into stored_folder (project, folder, parent, sealed_at) values (:project, :folder, :parent, :sealed_at)
on conflict (project, folder) do nothing;

-- A digest is no permission: only what a file of the project has is known to it.
-- name: size_of_known
select size_bytes from stored_file where project = :project and blob = :blob limit 1;

-- name: blobs
select distinct blob from stored_file;

-- name: blob_is_named
select 1 from stored_file where blob = :blob limit 1;

-- Those whose bytes are blobs.
-- name: stored
select folder, name, blob, size_bytes, actor, recorded_at from stored_file f
where project = :project and not exists (select 1 from small_file s where s.digest = f.blob) order by blob;

-- name: find_small
select data from small_file where digest = :digest;

-- name: put_small
insert into small_file (digest, data, put_at) values (:digest, :data, :at)
on conflict (digest) do update set put_at = excluded.put_at;

-- name: touch_small
update small_file set put_at = :at where digest = :digest;

-- A put of the same bytes meanwhile holds the row, and has touched it when this goes on.
-- name: sweep_small
delete from small_file where put_at < :before and not exists (select 1 from stored_file f where f.blob = small_file.digest);

-- name: every_small
select digest, data from small_file;

-- name: add_upload
insert into stored_upload (project, id, folder, name, secret, parts, actor, recorded_at)
values (:project, :id, :folder, :name, :secret, :parts, :actor, :recorded_at);

-- name: find_upload
select project, id, folder, name, secret, parts, actor, recorded_at from stored_upload where id = :id;

-- name: uploads_before
select project, id from stored_upload where recorded_at < :before;

-- name: delete_upload
delete from stored_upload where project = :project and id = :id;

-- name: put_part
insert into stored_part (project, upload, number, digest, size_bytes, recorded_at)
values (:project, :upload, :number, :digest, :size_bytes, :recorded_at)
on conflict (project, upload, number) do update set
    digest = excluded.digest,
    size_bytes = excluded.size_bytes,
    recorded_at = excluded.recorded_at;

-- name: parts_of
select number, digest, size_bytes from stored_part where project = :project and upload = :upload order by number;

-- name: delete_parts
delete from stored_part where project = :project and upload = :upload;

-- name: root_of_run
select artifact_uri from tracked_run where project = :project and run = :run;

-- name: root_of_model
select artifact_location from logged_model where project = :project and model = :model and lifecycle = 'active';

-- name: root_of_version
select coalesce(v.location, v.source) from model_version v
join registered_model m on m.project = v.project and m.line = v.line
where v.project = :project and m.name = :name and m.deleted_at is null and v.number = :number and v.deleted_at is null;

-- What was deleted goes for good after its retention, with its files.

-- name: expired_experiments
select number, name, artifact_location from experiment
where project = :project and lifecycle = 'deleted' and updated_ms < :before_ms order by number;

-- name: expired_runs
select number, run, name, experiment, origin, artifact_uri from tracked_run
where project = :project and lifecycle = 'deleted' and coalesce(deleted_ms, end_ms, start_ms, 0) < :before_ms
order by number;

-- name: expired_models
select l.model, l.name, l.experiment, l.artifact_location from logged_model l
where l.project = :project and ((l.lifecycle = 'deleted' and l.updated_ms < :before_ms) or exists (
    select 1 from experiment e where e.project = l.project and e.number = l.experiment
        and e.lifecycle = 'deleted' and e.updated_ms < :before_ms
)) order by l.model;

-- A registered version keeps the runs and the logged models that it came from: they explain it.
-- name: kept_by_versions
select v.line, v.number, v.run_id, v.run, v.logged_model, l.source_run from model_version v
left join logged_model l on l.project = v.project and l.model = v.logged_model
where v.project = :project and v.deleted_at is null
    and (v.run_id is not null or v.run is not null or v.logged_model is not null);

-- name: lives_in_experiment
select 1 from tracked_run where project = :project and experiment = :experiment
union all select 1 from logged_model where project = :project and experiment = :experiment limit 1;

-- name: shares_location
select 1 from experiment where project = :project and number <> :number
    and (artifact_location = :uri or substr(artifact_location, 1, length(:uri) + 1) = :uri || '/') limit 1;

-- name: count_named
select count(*) from stored_file where blob = :blob;

-- name: is_artifact_too
select 1 from artifact where blob = :blob limit 1;

-- name: purge_params
delete from run_param where project = :project and run_number = :number;
-- name: purge_tags
delete from run_tag where project = :project and run_number = :number;
-- name: purge_latest
delete from metric_latest where project = :project and run_number = :number;
-- name: purge_chunks
delete from metric_chunk where project = :project and run_number = :number;
-- name: purge_segments
delete from metric_segment where project = :project and run_number = :number;
-- name: purge_inputs
delete from run_input where project = :project and run_number = :number;
-- name: purge_input_tags
delete from run_input_tag where project = :project and run_number = :number;
-- name: purge_outputs
delete from run_output where project = :project and run_number = :number;
-- name: purge_tracked_run
delete from tracked_run where project = :project and number = :number and lifecycle = 'deleted';
-- name: purge_edges
delete from edge where project = :project and run = :run;
-- name: purge_run
delete from run where project = :project and id = :run;

-- name: purge_model_params
delete from logged_model_param where project = :project and model = :model;
-- name: purge_model_tags
delete from logged_model_tag where project = :project and model = :model;
-- name: purge_model_metrics
delete from logged_model_metric where project = :project and model = :model;
-- name: purge_model
delete from logged_model where project = :project and model = :model and (lifecycle = 'deleted' or exists (
    select 1 from experiment e where e.project = logged_model.project and e.number = logged_model.experiment
        and e.lifecycle = 'deleted'
));

-- name: traces_of_experiment
select trace from trace where project = :project and experiment = :experiment;
-- name: purge_trace_tags
delete from trace_tag where project = :project and trace = :trace;
-- name: purge_trace_metadata
delete from trace_metadata where project = :project and trace = :trace;
-- name: purge_trace_links
delete from trace_link where project = :project and trace = :trace;
-- name: purge_spans
delete from span where project = :project and trace = :trace;
-- name: purge_assessments
delete from assessment where project = :project and trace = :trace;
-- name: purge_trace
delete from trace where project = :project and trace = :trace;

-- name: purge_datasets
delete from tracked_dataset where project = :project and experiment = :experiment;
-- name: purge_experiment_tags
delete from experiment_tag where project = :project and experiment = :experiment;
-- name: remember_number
insert into tracking_counter (project, noun, next) values (:project, 'experiment', :experiment + 1)
on conflict (project, noun) do update set next = excluded.next where tracking_counter.next < excluded.next;

-- name: purge_experiment
delete from experiment where project = :project and number = :experiment and lifecycle = 'deleted';
