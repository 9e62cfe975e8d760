-- Traces.

-- name: insert_trace
insert into trace (project, trace, experiment, start_ms, status, duration_ms, name, session, client_request_id,
    request_preview, response_preview, input_tokens, output_tokens, total_tokens, cache_read_input_tokens,
    cache_creation_input_tokens, cache_creation_input_tokens_above_1hr, input_cost, output_cost, total_cost)
values (:project, :id, :experiment, :start_ms, :status, :duration_ms, :name, :session, :client_request_id,
    :request_preview, :response_preview, :input_tokens, :output_tokens, :total_tokens, :cache_read_input_tokens,
    :cache_creation_input_tokens, :cache_creation_input_tokens_above_1hr, :input_cost, :output_cost, :total_cost)
on conflict do nothing;

-- name: update_trace
update trace set experiment = :experiment, start_ms = :start_ms, status = :status, duration_ms = :duration_ms,
    name = :name, session = :session, client_request_id = :client_request_id, request_preview = :request_preview,
    response_preview = :response_preview, input_tokens = :input_tokens, output_tokens = :output_tokens,
    total_tokens = :total_tokens, cache_read_input_tokens = :cache_read_input_tokens,
    cache_creation_input_tokens = :cache_creation_input_tokens,
    cache_creation_input_tokens_above_1hr = :cache_creation_input_tokens_above_1hr, input_cost = :input_cost,
    output_cost = :output_cost, total_cost = :total_cost
where project = :project and trace = :id;

-- name: traces_of
select trace, experiment, start_ms, status, duration_ms, name, session, client_request_id, request_preview,
    response_preview, input_tokens, output_tokens, total_tokens, cache_read_input_tokens, cache_creation_input_tokens,
    cache_creation_input_tokens_above_1hr, input_cost, output_cost, total_cost
from trace where project = :project and trace in (select value from json_each(:ids));

-- name: traces_of (postgresql)
select trace, experiment, start_ms, status, duration_ms, name, session, client_request_id, request_preview,
    response_preview, input_tokens, output_tokens, total_tokens, cache_read_input_tokens, cache_creation_input_tokens,
    cache_creation_input_tokens_above_1hr, input_cost, output_cost, total_cost
from trace where project = :project and trace in (select jsonb_array_elements_text(cast(:ids as jsonb)));

-- name: lock_trace
select trace, experiment, start_ms, status, duration_ms, name, session, client_request_id, request_preview,
    response_preview, input_tokens, output_tokens, total_tokens, cache_read_input_tokens, cache_creation_input_tokens,
    cache_creation_input_tokens_above_1hr, input_cost, output_cost, total_cost
from trace where project = :project and trace = :trace;

-- name: lock_trace (postgresql)
select trace, experiment, start_ms, status, duration_ms, name, session, client_request_id, request_preview,
    response_preview, input_tokens, output_tokens, total_tokens, cache_read_input_tokens, cache_creation_input_tokens,
    cache_creation_input_tokens_above_1hr, input_cost, output_cost, total_cost
from trace where project = :project and trace = :trace for update;

-- name: tags_of
select trace, key, value from trace_tag
where project = :project and trace in (select value from json_each(:ids)) order by trace, key;

-- name: tags_of (postgresql)
select trace, key, value from trace_tag
where project = :project and trace in (select jsonb_array_elements_text(cast(:ids as jsonb))) order by trace, key;

-- name: metadata_of
select trace, key, value from trace_metadata
where project = :project and trace in (select value from json_each(:ids)) order by trace, key;

-- name: metadata_of (postgresql)
select trace, key, value from trace_metadata
where project = :project and trace in (select jsonb_array_elements_text(cast(:ids as jsonb))) order by trace, key;

-- name: put_tag
insert into trace_tag (project, trace, key, value) values (:project, :trace, :key, :value)
on conflict (project, trace, key) do update set value = excluded.value;

-- name: drop_tag
delete from trace_tag where project = :project and trace = :trace and key = :key;

-- name: put_metadata
insert into trace_metadata (project, trace, key, value) values (:project, :trace, :key, :value)
on conflict (project, trace, key) do update set value = excluded.value;

-- name: add_metadata
insert into trace_metadata (project, trace, key, value) values (:project, :trace, :key, :value)
on conflict do nothing;

-- name: find_metadata
select value from trace_metadata where project = :project and trace = :trace and key = :key;

-- name: set_name
update trace set name = :name where project = :project and trace = :trace;

-- name: put_link
insert into trace_link (project, trace, kind, target) values (:project, :trace, :kind, :target)
on conflict do nothing;

-- name: links_of
select kind, target from trace_link where project = :project and trace = :trace order by kind, target;

-- name: traces_linked
select trace from trace_link where project = :project and kind = :kind and target = :target order by trace;

-- name: put_span
insert into span (project, trace, span, parent, experiment, name, type, status, start_ns, end_ns, content, model,
    provider, input_cost, output_cost, total_cost)
values (:project, :trace, :span, :parent, :experiment, :name, :type, :status, :start_ns, :end_ns, :content, :model,
    :provider, :input_cost, :output_cost, :total_cost)
on conflict (project, trace, span) do update set
    parent = excluded.parent, experiment = excluded.experiment, name = excluded.name, type = excluded.type,
    status = excluded.status, start_ns = excluded.start_ns, end_ns = excluded.end_ns, content = excluded.content,
    model = excluded.model, provider = excluded.provider, input_cost = excluded.input_cost,
    output_cost = excluded.output_cost, total_cost = excluded.total_cost;

-- name: move_spans
update span set experiment = :experiment
where project = :project and trace = :trace and experiment <> :experiment;

-- name: spans_of
select trace, content from span
where project = :project and trace in (select value from json_each(:ids))
order by trace, case when parent is null then 0 else 1 end, start_ns, span;

-- name: spans_of (postgresql)
select trace, content from span
where project = :project and trace in (select jsonb_array_elements_text(cast(:ids as jsonb)))
order by trace, case when parent is null then 0 else 1 end, start_ns, span;

-- What the spans of a trace say of tokens and cost: only those spans that say any are read whole.
-- name: accounts_of
select span, parent,
    case when instr(content, '"mlflow.chat.tokenUsage"') > 0 or instr(content, '"mlflow.llm.cost"') > 0 then content end
from span where project = :project and trace = :trace;

-- name: accounts_of (postgresql)
select span, parent,
    case when strpos(content, '"mlflow.chat.tokenUsage"') > 0 or strpos(content, '"mlflow.llm.cost"') > 0 then content end
from span where project = :project and trace = :trace;

-- name: select_for_delete
select trace from trace
where project = :project and experiment = :experiment and start_ms <= :until_ms
order by start_ms, trace limit :limit;

-- name: select_named_for_delete
select trace from trace
where project = :project and experiment = :experiment and trace in (select value from json_each(:ids));

-- name: select_named_for_delete (postgresql)
select trace from trace
where project = :project and experiment = :experiment
    and trace in (select jsonb_array_elements_text(cast(:ids as jsonb)));

-- name: delete_trace
delete from trace where project = :project and trace = :trace;

-- name: delete_tags
delete from trace_tag where project = :project and trace = :trace;

-- name: delete_metadata
delete from trace_metadata where project = :project and trace = :trace;

-- name: delete_links
delete from trace_link where project = :project and trace = :trace;

-- name: delete_spans
delete from span where project = :project and trace = :trace;

-- name: delete_assessments
delete from assessment where project = :project and trace = :trace;

-- name: find_experiment
select artifact_location, lifecycle from experiment where project = :project and number = :experiment;

-- Assessments.

-- name: insert_assessment
insert into assessment (project, trace, assessment, name, kind, value, error, source_type, source_id, run, span,
    rationale, overrides, is_valid, metadata, number, is_number, created_ms, updated_ms)
values (:project, :trace, :id, :name, :kind, :value, :error, :source_type, :source_id, :run, :span, :rationale,
    :overrides, :is_valid, :metadata, :number, :is_number, :created_ms, :updated_ms)
on conflict do nothing;

-- name: update_assessment
update assessment set name = :name, value = :value, error = :error, rationale = :rationale, metadata = :metadata,
    number = :number, is_number = :is_number, updated_ms = :updated_ms
where project = :project and trace = :trace and assessment = :id;

-- name: find_assessment
select trace, assessment, name, kind, value, source_type, source_id, error, run, span, rationale, overrides, is_valid,
    metadata, created_ms, updated_ms
from assessment where project = :project and trace = :trace and assessment = :assessment;

-- name: assessments_of
select trace, assessment, name, kind, value, source_type, source_id, error, run, span, rationale, overrides, is_valid,
    metadata, created_ms, updated_ms
from assessment where project = :project and trace in (select value from json_each(:ids))
order by trace, created_ms, assessment;

-- name: assessments_of (postgresql)
select trace, assessment, name, kind, value, source_type, source_id, error, run, span, rationale, overrides, is_valid,
    metadata, created_ms, updated_ms
from assessment where project = :project and trace in (select jsonb_array_elements_text(cast(:ids as jsonb)))
order by trace, created_ms, assessment;

-- name: set_validity
update assessment set is_valid = :is_valid where project = :project and trace = :trace and assessment = :assessment;

-- name: delete_assessment
delete from assessment where project = :project and trace = :trace and assessment = :assessment;

-- Evaluation datasets.

-- name: insert_dataset
insert into evaluation_dataset (project, dataset, name, digest, schema, profile, created_by, updated_by, created_ms,
    updated_ms)
values (:project, :id, :name, :digest, :schema, :profile, :created_by, :updated_by, :created_ms, :updated_ms);

-- name: find_dataset
select dataset, name, digest, schema, profile, created_by, updated_by, created_ms, updated_ms
from evaluation_dataset where project = :project and dataset = :dataset;

-- name: update_dataset
update evaluation_dataset set digest = :digest, schema = :schema, profile = :profile, updated_by = :updated_by,
    updated_ms = :updated_ms
where project = :project and dataset = :id;

-- name: delete_dataset
delete from evaluation_dataset where project = :project and dataset = :dataset;

-- name: delete_dataset_tags
delete from evaluation_dataset_tag where project = :project and dataset = :dataset;

-- name: delete_dataset_experiments
delete from evaluation_dataset_experiment where project = :project and dataset = :dataset;

-- name: delete_dataset_records
delete from evaluation_record where project = :project and dataset = :dataset;

-- name: dataset_tags
select dataset, key, value from evaluation_dataset_tag
where project = :project and dataset in (select value from json_each(:ids)) order by dataset, key;

-- name: dataset_tags (postgresql)
select dataset, key, value from evaluation_dataset_tag
where project = :project and dataset in (select jsonb_array_elements_text(cast(:ids as jsonb))) order by dataset, key;

-- name: put_dataset_tag
insert into evaluation_dataset_tag (project, dataset, key, value) values (:project, :dataset, :key, :value)
on conflict (project, dataset, key) do update set value = excluded.value;

-- name: drop_dataset_tag
delete from evaluation_dataset_tag where project = :project and dataset = :dataset and key = :key;

-- name: dataset_experiments
select experiment from evaluation_dataset_experiment
where project = :project and dataset = :dataset order by experiment;

-- name: put_dataset_experiment
insert into evaluation_dataset_experiment (project, dataset, experiment) values (:project, :dataset, :experiment)
on conflict do nothing;

-- name: drop_dataset_experiment
delete from evaluation_dataset_experiment
where project = :project and dataset = :dataset and experiment = :experiment;

-- name: find_record
select record, inputs, outputs, expectations, tags, source, source_id, source_type, created_by, updated_by, created_ms,
    updated_ms
from evaluation_record where project = :project and dataset = :dataset and input_hash = :input_hash;

-- name: insert_record
insert into evaluation_record (project, dataset, record, input_hash, inputs, outputs, expectations, tags, source,
    source_id, source_type, created_by, updated_by, created_ms, updated_ms)
values (:project, :dataset, :id, :input_hash, :inputs, :outputs, :expectations, :tags, :source, :source_id,
    :source_type, :created_by, :updated_by, :created_ms, :updated_ms);

-- name: update_record
update evaluation_record set outputs = :outputs, expectations = :expectations, tags = :tags, updated_by = :updated_by,
    updated_ms = :updated_ms
where project = :project and dataset = :dataset and record = :id;

-- name: records_after
select record, inputs, outputs, expectations, tags, source, source_id, source_type, created_by, updated_by, created_ms,
    updated_ms
from evaluation_record
where project = :project and dataset = :dataset
    and (created_ms > :created_ms or created_ms = :created_ms and record > :record)
order by created_ms, record limit :limit;

-- name: count_records
select count(*) from evaluation_record where project = :project and dataset = :dataset;

-- name: delete_record
delete from evaluation_record where project = :project and dataset = :dataset and record = :record;

-- Scorers.

-- name: insert_scorer
insert into scorer (project, experiment, name, scorer) values (:project, :experiment, :name, :scorer)
on conflict do nothing;

-- name: find_scorer
select scorer from scorer where project = :project and experiment = :experiment and name = :name;

-- name: newest_scorer_version
select coalesce(max(version), 0) from scorer_version where project = :project and scorer = :scorer;

-- name: insert_scorer_version
insert into scorer_version (project, scorer, version, serialized, created_ms)
values (:project, :scorer, :version, :serialized, :created_ms)
on conflict do nothing;

-- name: scorer_versions
select version, serialized, created_ms from scorer_version
where project = :project and scorer = :scorer order by version;

-- name: newest_scorers
select s.experiment, s.name, s.scorer, v.version, v.serialized, v.created_ms
from scorer s
join experiment e on e.project = s.project and e.number = s.experiment and e.lifecycle = 'active'
join scorer_version v on v.project = s.project and v.scorer = s.scorer
    and v.version = (select max(w.version) from scorer_version w where w.project = v.project and w.scorer = v.scorer)
where s.project = :project order by s.experiment, s.name;

-- name: delete_scorer_versions
delete from scorer_version where project = :project and scorer = :scorer;

-- name: delete_scorer_version
delete from scorer_version where project = :project and scorer = :scorer and version = :version;

-- name: delete_scorer
delete from scorer where project = :project and experiment = :experiment and name = :name;
