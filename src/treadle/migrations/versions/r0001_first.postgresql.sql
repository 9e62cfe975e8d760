-- Made by tools/compile_schema.py from the tables.py of every package. Do not edit.

CREATE TABLE access_token (
    project TEXT NOT NULL,
    digest TEXT NOT NULL,
    id TEXT NOT NULL,
    account TEXT NOT NULL,
    label TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    CONSTRAINT pk_access_token PRIMARY KEY (project, digest)
);

CREATE INDEX ix_access_token_account ON access_token (project, account, id);

CREATE UNIQUE INDEX ix_access_token_id ON access_token (project, id);

CREATE TABLE account (
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    password TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_account PRIMARY KEY (project, name)
);

CREATE TABLE account_role (
    project TEXT NOT NULL,
    account TEXT NOT NULL,
    role TEXT NOT NULL,
    CONSTRAINT pk_account_role PRIMARY KEY (project, account)
);

CREATE INDEX ix_account_role_account ON account_role (account);

CREATE TABLE alert (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    monitor TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    model_version TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    symptoms TEXT NOT NULL,
    peak DOUBLE PRECISION NOT NULL,
    threshold DOUBLE PRECISION NOT NULL,
    first_window_at BIGINT NOT NULL,
    last_window_at BIGINT NOT NULL,
    judged_window_at BIGINT NOT NULL,
    windows BIGINT NOT NULL,
    quiet BIGINT NOT NULL,
    event TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    acknowledged_by TEXT,
    acknowledged_at BIGINT,
    resolved_at BIGINT,
    resolution TEXT,
    CONSTRAINT pk_alert PRIMARY KEY (project, id)
);

CREATE INDEX ix_alert_monitor ON alert (project, monitor, state);

CREATE TABLE alert_route (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    endpoint TEXT,
    runbook TEXT NOT NULL,
    secret BYTEA,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_alert_route PRIMARY KEY (project, id)
);

CREATE TABLE alert_silence (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    column_name TEXT,
    until_at BIGINT NOT NULL,
    reason TEXT NOT NULL,
    actor TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_alert_silence PRIMARY KEY (project, id)
);

CREATE TABLE anchor (
    project TEXT NOT NULL,
    position BIGINT NOT NULL,
    hash TEXT NOT NULL,
    place TEXT NOT NULL,
    signature TEXT,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_anchor PRIMARY KEY (project, position)
);

CREATE TABLE annotation (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    labels TEXT NOT NULL,
    task TEXT NOT NULL,
    annotator TEXT NOT NULL,
    act TEXT NOT NULL,
    value TEXT,
    previous TEXT,
    seconds DOUBLE PRECISION,
    note TEXT NOT NULL,
    event_at BIGINT,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_annotation PRIMARY KEY (project, id)
);

CREATE INDEX ix_annotation_labels ON annotation (project, labels, id);

CREATE INDEX ix_annotation_task ON annotation (project, task, annotator, id);

CREATE TABLE artifact (
    project TEXT NOT NULL,
    digest TEXT NOT NULL,
    kind TEXT NOT NULL,
    codec TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    blob TEXT,
    inline BYTEA,
    meta TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    condemned_at BIGINT,
    CONSTRAINT pk_artifact PRIMARY KEY (project, digest)
);

CREATE INDEX ix_artifact_blob ON artifact (blob) WHERE blob is not null;

CREATE TABLE assessment (
    project TEXT NOT NULL,
    trace TEXT NOT NULL,
    assessment TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    error TEXT,
    source_type TEXT NOT NULL,
    source_id TEXT,
    run TEXT,
    span TEXT,
    rationale TEXT,
    overrides TEXT,
    is_valid BIGINT NOT NULL,
    metadata TEXT,
    number DOUBLE PRECISION,
    is_number BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    CONSTRAINT pk_assessment PRIMARY KEY (project, trace, assessment)
);

CREATE INDEX ix_assessment_name ON assessment (project, kind, name, trace);

CREATE TABLE canary (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    revision BIGINT NOT NULL,
    model TEXT NOT NULL,
    model_version TEXT NOT NULL,
    state TEXT NOT NULL,
    step BIGINT NOT NULL,
    policy TEXT NOT NULL,
    promote TEXT,
    baseline TEXT NOT NULL,
    slow_us BIGINT NOT NULL,
    reason TEXT NOT NULL,
    evidence TEXT,
    actor TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    step_at BIGINT NOT NULL,
    ended_at BIGINT,
    CONSTRAINT pk_canary PRIMARY KEY (project, id)
);

CREATE INDEX ix_canary_endpoint ON canary (project, endpoint, started_at);

CREATE UNIQUE INDEX uq_canary_open ON canary (project, endpoint) WHERE ended_at is null;

CREATE TABLE chain (
    project TEXT NOT NULL,
    position BIGINT NOT NULL,
    hash TEXT NOT NULL,
    CONSTRAINT pk_chain PRIMARY KEY (project)
);

CREATE TABLE checkpoint (
    project TEXT NOT NULL,
    root TEXT NOT NULL,
    path TEXT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    run TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_checkpoint PRIMARY KEY (project, root, path, name)
);

CREATE TABLE cleaning (
    project TEXT NOT NULL,
    landing TEXT NOT NULL,
    dataset TEXT NOT NULL,
    source TEXT NOT NULL,
    source_snapshot TEXT NOT NULL,
    source_content TEXT NOT NULL,
    contract TEXT NOT NULL,
    log TEXT NOT NULL,
    decisions BIGINT NOT NULL,
    report TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_cleaning PRIMARY KEY (project, landing)
);

CREATE INDEX ix_cleaning_dataset ON cleaning (project, dataset, landing);

CREATE TABLE code_parts (
    project TEXT NOT NULL,
    digest TEXT NOT NULL,
    parts TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_code_parts PRIMARY KEY (project, digest)
);

CREATE TABLE column_profile (
    project TEXT NOT NULL,
    about TEXT NOT NULL,
    digest TEXT NOT NULL,
    rows BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_column_profile PRIMARY KEY (project, about)
);

CREATE TABLE data_file (
    project TEXT NOT NULL,
    dataset TEXT NOT NULL,
    path TEXT NOT NULL,
    added_version BIGINT NOT NULL,
    removed_version BIGINT,
    sha256 TEXT NOT NULL,
    size BIGINT NOT NULL,
    rows BIGINT NOT NULL,
    stats TEXT NOT NULL,
    place TEXT NOT NULL,
    condemned_at BIGINT,
    deleted_at BIGINT,
    CONSTRAINT pk_data_file PRIMARY KEY (project, dataset, path, added_version)
);

CREATE INDEX ix_data_file_condemned ON data_file (project, condemned_at) WHERE condemned_at is not null and deleted_at is null;

CREATE INDEX ix_data_file_path ON data_file (project, path);

CREATE TABLE dataset (
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    folder TEXT NOT NULL,
    description TEXT NOT NULL,
    event_column TEXT,
    head_version BIGINT NOT NULL,
    head_snapshot TEXT,
    head_delta_version BIGINT NOT NULL,
    turn TEXT,
    turn_owner TEXT,
    turn_until BIGINT,
    recorded_at BIGINT NOT NULL,
    branch_of TEXT,
    base TEXT,
    depth BIGINT NOT NULL,
    CONSTRAINT pk_dataset PRIMARY KEY (project, name)
);

CREATE INDEX ix_dataset_branch_of ON dataset (project, branch_of) WHERE branch_of is not null;

CREATE TABLE edge (
    project TEXT NOT NULL,
    run TEXT NOT NULL,
    direction TEXT NOT NULL,
    role TEXT NOT NULL,
    digest TEXT NOT NULL,
    producer TEXT,
    CONSTRAINT pk_edge PRIMARY KEY (project, run, direction, role)
);

CREATE INDEX ix_edge_digest ON edge (project, digest);

CREATE TABLE endpoint_revision (
    project TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    number BIGINT NOT NULL,
    id TEXT NOT NULL,
    model TEXT NOT NULL,
    model_version TEXT NOT NULL,
    model_digest TEXT NOT NULL,
    engine TEXT NOT NULL,
    bundle TEXT NOT NULL,
    threads BIGINT NOT NULL,
    actor TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_endpoint_revision PRIMARY KEY (project, endpoint, number)
);

CREATE INDEX ix_endpoint_revision_model ON endpoint_revision (project, model, model_version);

CREATE UNIQUE INDEX uq_endpoint_revision_id ON endpoint_revision (project, id);

CREATE TABLE endpoint_route (
    project TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    number BIGINT NOT NULL,
    digest TEXT NOT NULL,
    document TEXT NOT NULL,
    kind TEXT NOT NULL,
    restores BIGINT,
    reason TEXT NOT NULL,
    actor TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_endpoint_route PRIMARY KEY (project, endpoint, number)
);

CREATE TABLE evaluation_dataset (
    project TEXT NOT NULL,
    dataset TEXT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    schema TEXT,
    profile TEXT,
    created_by TEXT,
    updated_by TEXT,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    CONSTRAINT pk_evaluation_dataset PRIMARY KEY (project, dataset)
);

CREATE INDEX ix_evaluation_dataset_created ON evaluation_dataset (project, created_ms, dataset);

CREATE TABLE evaluation_dataset_experiment (
    project TEXT NOT NULL,
    dataset TEXT NOT NULL,
    experiment TEXT NOT NULL,
    CONSTRAINT pk_evaluation_dataset_experiment PRIMARY KEY (project, dataset, experiment)
);

CREATE INDEX ix_evaluation_dataset_experiment_experiment ON evaluation_dataset_experiment (project, experiment, dataset);

CREATE TABLE evaluation_dataset_tag (
    project TEXT NOT NULL,
    dataset TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    CONSTRAINT pk_evaluation_dataset_tag PRIMARY KEY (project, dataset, key)
);

CREATE TABLE evaluation_record (
    project TEXT NOT NULL,
    dataset TEXT NOT NULL,
    record TEXT NOT NULL,
    input_hash TEXT NOT NULL,
    inputs TEXT NOT NULL,
    outputs TEXT,
    expectations TEXT,
    tags TEXT,
    source TEXT,
    source_id TEXT,
    source_type TEXT,
    created_by TEXT,
    updated_by TEXT,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    CONSTRAINT pk_evaluation_record PRIMARY KEY (project, dataset, record)
);

CREATE INDEX ix_evaluation_record_created ON evaluation_record (project, dataset, created_ms, record);

CREATE UNIQUE INDEX uq_evaluation_record_input ON evaluation_record (project, dataset, input_hash);

CREATE TABLE event (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    actor TEXT NOT NULL,
    body TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    event_at BIGINT,
    position BIGINT,
    hash TEXT,
    CONSTRAINT pk_event PRIMARY KEY (project, id)
);

CREATE UNIQUE INDEX ix_event_position ON event (project, position);

CREATE INDEX ix_event_subject ON event (project, subject, position);

CREATE INDEX ix_event_unsealed ON event (project, id) WHERE position is null;

CREATE TABLE evidence (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    subject TEXT NOT NULL,
    digest TEXT,
    kind TEXT NOT NULL,
    verdict TEXT NOT NULL,
    body TEXT NOT NULL,
    run TEXT,
    actor TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_evidence PRIMARY KEY (project, id)
);

CREATE INDEX ix_evidence_subject ON evidence (project, subject, id);

CREATE TABLE experiment (
    project TEXT NOT NULL,
    number BIGINT NOT NULL,
    name TEXT NOT NULL,
    artifact_location TEXT NOT NULL,
    lifecycle TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    CONSTRAINT pk_experiment PRIMARY KEY (project, number)
);

CREATE UNIQUE INDEX uq_experiment_name ON experiment (project, name);

CREATE TABLE experiment_tag (
    project TEXT NOT NULL,
    experiment BIGINT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    CONSTRAINT pk_experiment_tag PRIMARY KEY (project, experiment, key)
);

CREATE TABLE firing (
    project TEXT NOT NULL,
    source TEXT NOT NULL,
    fire_at BIGINT NOT NULL,
    id TEXT NOT NULL,
    pipeline TEXT NOT NULL,
    publication TEXT NOT NULL,
    params TEXT NOT NULL,
    state TEXT NOT NULL,
    caused_by TEXT,
    run TEXT,
    claimed_by TEXT,
    claimed_at BIGINT,
    moment_at BIGINT NOT NULL,
    reason TEXT,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_firing PRIMARY KEY (project, source, fire_at)
);

CREATE UNIQUE INDEX ix_firing_id ON firing (project, id);

CREATE INDEX ix_firing_pipeline ON firing (project, pipeline, moment_at);

CREATE INDEX ix_firing_run ON firing (project, run);

CREATE INDEX ix_firing_state ON firing (project, state);

CREATE TABLE incident (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    dataset TEXT NOT NULL,
    rule TEXT NOT NULL,
    cause TEXT NOT NULL,
    contract TEXT,
    severity TEXT NOT NULL,
    state TEXT NOT NULL,
    title TEXT NOT NULL,
    rows BIGINT NOT NULL,
    occurrences BIGINT NOT NULL,
    clean_landings BIGINT NOT NULL,
    first_landing TEXT,
    last_landing TEXT,
    assignee TEXT,
    note TEXT,
    fixing_run TEXT,
    muted_until BIGINT,
    opened_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    resolved_at BIGINT,
    CONSTRAINT pk_incident PRIMARY KEY (project, id)
);

CREATE UNIQUE INDEX uq_incident_open ON incident (project, dataset, rule, cause) WHERE state <> 'resolved';

CREATE TABLE incident_comment (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    incident TEXT NOT NULL,
    actor TEXT NOT NULL,
    text TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_incident_comment PRIMARY KEY (project, id)
);

CREATE INDEX ix_incident_comment ON incident_comment (project, incident, id);

CREATE TABLE incident_occurrence (
    project TEXT NOT NULL,
    incident TEXT NOT NULL,
    landing TEXT NOT NULL,
    snapshot TEXT,
    contract TEXT,
    rows BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_incident_occurrence PRIMARY KEY (project, incident, landing)
);

CREATE TABLE label_lease (
    project TEXT NOT NULL,
    task TEXT NOT NULL,
    annotator TEXT NOT NULL,
    until_at BIGINT NOT NULL,
    CONSTRAINT pk_label_lease PRIMARY KEY (project, task, annotator)
);

CREATE TABLE label_project (
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    schema TEXT NOT NULL,
    instructions TEXT NOT NULL,
    overlap BIGINT NOT NULL,
    lease_s BIGINT NOT NULL,
    actor TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_label_project PRIMARY KEY (project, name)
);

CREATE TABLE label_task (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    labels TEXT NOT NULL,
    source TEXT NOT NULL,
    data TEXT NOT NULL,
    priority DOUBLE PRECISION NOT NULL,
    answered BIGINT NOT NULL,
    closed_at BIGINT,
    review TEXT,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_label_task PRIMARY KEY (project, id)
);

CREATE INDEX ix_label_task_labels ON label_task (project, labels, id);

CREATE INDEX ix_label_task_queue ON label_task (project, labels, priority desc, id) WHERE closed_at is null;

CREATE UNIQUE INDEX uq_label_task_source ON label_task (project, labels, source);

CREATE TABLE landing (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    dataset TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    key TEXT,
    source TEXT NOT NULL,
    cursor_before TEXT,
    cursor_after TEXT,
    origin TEXT NOT NULL,
    plan TEXT,
    content TEXT,
    snapshot TEXT,
    version BIGINT,
    rows_in BIGINT NOT NULL,
    rows_kept BIGINT NOT NULL,
    rows_refused BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    refused_by TEXT NOT NULL,
    run TEXT,
    actor TEXT NOT NULL,
    owner TEXT NOT NULL,
    lease_until BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    error TEXT,
    CONSTRAINT pk_landing PRIMARY KEY (project, id)
);

CREATE INDEX ix_landing_dataset ON landing (project, dataset, id);

CREATE INDEX ix_landing_intent ON landing (project, dataset) WHERE state = 'intent';

CREATE UNIQUE INDEX uq_landing_key ON landing (project, dataset, key) WHERE state <> 'abandoned' and key is not null;

CREATE TABLE landing_figures (
    project TEXT NOT NULL,
    dataset TEXT NOT NULL,
    landing TEXT NOT NULL,
    figures TEXT NOT NULL,
    verdict TEXT,
    overdue_at BIGINT,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_landing_figures PRIMARY KEY (project, dataset, landing)
);

CREATE TABLE log_chunk (
    project TEXT NOT NULL,
    run TEXT NOT NULL,
    ordinal BIGINT NOT NULL,
    stream TEXT NOT NULL,
    content TEXT NOT NULL,
    at BIGINT NOT NULL,
    CONSTRAINT pk_log_chunk PRIMARY KEY (project, run, ordinal)
);

CREATE TABLE logged_model (
    project TEXT NOT NULL,
    model TEXT NOT NULL,
    experiment BIGINT NOT NULL,
    name TEXT NOT NULL,
    artifact_location TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    status BIGINT NOT NULL,
    lifecycle TEXT NOT NULL,
    model_type TEXT,
    source_run TEXT,
    status_message TEXT,
    CONSTRAINT pk_logged_model PRIMARY KEY (project, model)
);

CREATE INDEX ix_logged_model_created ON logged_model (project, experiment, lifecycle, created_ms, model);

CREATE INDEX ix_logged_model_run ON logged_model (project, source_run, model);

CREATE TABLE logged_model_metric (
    project TEXT NOT NULL,
    model TEXT NOT NULL,
    name TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    step BIGINT NOT NULL,
    run TEXT NOT NULL,
    value DOUBLE PRECISION NOT NULL,
    is_nan BIGINT NOT NULL,
    dataset TEXT,
    dataset_name TEXT,
    dataset_digest TEXT,
    experiment BIGINT NOT NULL,
    CONSTRAINT pk_logged_model_metric PRIMARY KEY (project, model, name, at_ms, step, run)
);

CREATE INDEX ix_logged_model_metric_value ON logged_model_metric (project, experiment, name, is_nan, value, model);

CREATE TABLE logged_model_param (
    project TEXT NOT NULL,
    model TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    experiment BIGINT NOT NULL,
    CONSTRAINT pk_logged_model_param PRIMARY KEY (project, model, key)
);

CREATE TABLE logged_model_tag (
    project TEXT NOT NULL,
    model TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    experiment BIGINT NOT NULL,
    CONSTRAINT pk_logged_model_tag PRIMARY KEY (project, model, key)
);

CREATE TABLE manifest_blob (
    project TEXT NOT NULL,
    path TEXT NOT NULL,
    blob TEXT NOT NULL,
    dataset TEXT NOT NULL,
    size BIGINT NOT NULL,
    CONSTRAINT pk_manifest_blob PRIMARY KEY (project, path, blob)
);

CREATE INDEX ix_manifest_blob_blob ON manifest_blob (blob);

CREATE TABLE metric (
    project TEXT NOT NULL,
    run TEXT NOT NULL,
    key TEXT NOT NULL,
    ordinal BIGINT NOT NULL,
    value DOUBLE PRECISION NOT NULL,
    step BIGINT NOT NULL,
    at BIGINT NOT NULL,
    CONSTRAINT pk_metric PRIMARY KEY (project, run, key, ordinal)
);

CREATE TABLE metric_chunk (
    project TEXT NOT NULL,
    run_number BIGINT NOT NULL,
    id BIGINT NOT NULL,
    count BIGINT NOT NULL,
    points BYTEA NOT NULL,
    CONSTRAINT pk_metric_chunk PRIMARY KEY (project, run_number, id)
);

CREATE TABLE metric_key (
    project TEXT NOT NULL,
    number BIGINT NOT NULL,
    name TEXT NOT NULL,
    CONSTRAINT pk_metric_key PRIMARY KEY (project, number)
);

CREATE UNIQUE INDEX uq_metric_key_name ON metric_key (project, name);

CREATE TABLE metric_latest (
    project TEXT NOT NULL,
    run_number BIGINT NOT NULL,
    key BIGINT NOT NULL,
    value DOUBLE PRECISION NOT NULL,
    is_nan BIGINT NOT NULL,
    step BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    low DOUBLE PRECISION,
    high DOUBLE PRECISION,
    first_step BIGINT NOT NULL,
    last_step BIGINT NOT NULL,
    experiment BIGINT NOT NULL,
    CONSTRAINT pk_metric_latest PRIMARY KEY (project, run_number, key)
);

CREATE INDEX ix_metric_latest_value ON metric_latest (project, experiment, key, is_nan, value, run_number);

CREATE TABLE metric_segment (
    project TEXT NOT NULL,
    run_number BIGINT NOT NULL,
    key BIGINT NOT NULL,
    id BIGINT NOT NULL,
    count BIGINT NOT NULL,
    first_step BIGINT NOT NULL,
    last_step BIGINT NOT NULL,
    first_ms BIGINT NOT NULL,
    last_ms BIGINT NOT NULL,
    low DOUBLE PRECISION,
    high DOUBLE PRECISION,
    points BYTEA NOT NULL,
    CONSTRAINT pk_metric_segment PRIMARY KEY (project, run_number, key, id)
);

CREATE TABLE model_release (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    model TEXT NOT NULL,
    model_version TEXT NOT NULL,
    alias TEXT NOT NULL,
    stage TEXT NOT NULL,
    policy TEXT NOT NULL,
    reason TEXT NOT NULL,
    evidence TEXT,
    actor TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    stage_at BIGINT NOT NULL,
    ended_at BIGINT,
    CONSTRAINT pk_model_release PRIMARY KEY (project, id)
);

CREATE UNIQUE INDEX uq_release_open ON model_release (project, endpoint) WHERE ended_at is null;

CREATE TABLE model_tag (
    project TEXT NOT NULL,
    line TEXT NOT NULL,
    number BIGINT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    CONSTRAINT pk_model_tag PRIMARY KEY (project, line, number, key)
);

CREATE INDEX ix_model_tag_key ON model_tag (project, key, value);

CREATE TABLE model_version (
    project TEXT NOT NULL,
    line TEXT NOT NULL,
    number BIGINT NOT NULL,
    digest TEXT NOT NULL,
    signature TEXT NOT NULL,
    probe TEXT,
    card TEXT,
    metrics TEXT NOT NULL,
    data TEXT NOT NULL,
    reference TEXT NOT NULL,
    description TEXT,
    run TEXT,
    root TEXT,
    actor TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    stage TEXT NOT NULL,
    source TEXT,
    location TEXT,
    run_id TEXT,
    run_link TEXT,
    logged_model TEXT,
    size_bytes BIGINT,
    facts TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    deleted_at BIGINT,
    CONSTRAINT pk_model_version PRIMARY KEY (project, line, number)
);

CREATE INDEX ix_model_version_digest ON model_version (project, digest);

CREATE INDEX ix_model_version_run ON model_version (project, run);

CREATE INDEX ix_model_version_run_id ON model_version (project, run_id);

CREATE INDEX ix_model_version_updated ON model_version (project, updated_ms);

CREATE UNIQUE INDEX uq_model_version_root ON model_version (project, line, root, digest) WHERE root is not null;

CREATE TABLE monitor (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    window_s BIGINT NOT NULL,
    anchor_at BIGINT NOT NULL,
    false_alarms_per_year DOUBLE PRECISION NOT NULL,
    decision_threshold DOUBLE PRECISION NOT NULL,
    loss_increase DOUBLE PRECISION NOT NULL,
    kinds TEXT,
    task TEXT NOT NULL,
    group_column TEXT,
    judged_until BIGINT,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_monitor PRIMARY KEY (project, id),
    CONSTRAINT uq_monitor_project_name UNIQUE (project, name)
);

CREATE INDEX ix_monitor_endpoint ON monitor (project, endpoint);

CREATE TABLE monitor_reference (
    project TEXT NOT NULL,
    monitor TEXT NOT NULL,
    model_version TEXT NOT NULL,
    training TEXT NOT NULL,
    validation TEXT,
    profile TEXT NOT NULL,
    baseline TEXT,
    impact TEXT NOT NULL,
    estimation TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_monitor_reference PRIMARY KEY (project, monitor, model_version)
);

CREATE TABLE monitor_window (
    project TEXT NOT NULL,
    monitor TEXT NOT NULL,
    starts_at BIGINT NOT NULL,
    model_version TEXT NOT NULL,
    ends_at BIGINT NOT NULL,
    row_count BIGINT NOT NULL,
    labelled BIGINT NOT NULL,
    errors BIGINT NOT NULL,
    completeness DOUBLE PRECISION NOT NULL,
    score DOUBLE PRECISION NOT NULL,
    drift TEXT NOT NULL,
    performance TEXT NOT NULL,
    counts TEXT NOT NULL,
    products TEXT NOT NULL,
    quality TEXT NOT NULL,
    reference_at BIGINT NOT NULL,
    evaluated_at BIGINT NOT NULL,
    CONSTRAINT pk_monitor_window PRIMARY KEY (project, monitor, starts_at, model_version)
);

CREATE TABLE outbox (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    event TEXT NOT NULL,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    lease_owner TEXT,
    lease_until BIGINT,
    problem TEXT,
    recorded_at BIGINT NOT NULL,
    done_at BIGINT,
    CONSTRAINT pk_outbox PRIMARY KEY (project, id)
);

CREATE INDEX ix_outbox_due ON outbox (next_at) WHERE done_at is null;

CREATE TABLE project (
    project TEXT NOT NULL,
    title TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_project PRIMARY KEY (project)
);

CREATE TABLE publication (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    bundle TEXT NOT NULL,
    environment TEXT,
    interpreter TEXT NOT NULL,
    targets TEXT NOT NULL,
    actor TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_publication PRIMARY KEY (project, id)
);

CREATE TABLE quality_report (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    dataset TEXT NOT NULL,
    contract TEXT NOT NULL,
    contract_version TEXT NOT NULL,
    snapshot TEXT,
    landing TEXT,
    run TEXT,
    passed BIGINT NOT NULL,
    rows BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    results TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_quality_report PRIMARY KEY (project, id)
);

CREATE INDEX ix_quality_report_dataset ON quality_report (project, dataset, id);

CREATE TABLE quarantine (
    project TEXT NOT NULL,
    landing TEXT NOT NULL,
    dataset TEXT NOT NULL,
    snapshot TEXT NOT NULL,
    contract TEXT,
    contract_version TEXT,
    rows BIGINT NOT NULL,
    by_rule TEXT NOT NULL,
    run TEXT,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_quarantine PRIMARY KEY (project, landing)
);

CREATE INDEX ix_quarantine_dataset ON quarantine (project, dataset, landing);

CREATE TABLE quarantine_decision (
    project TEXT NOT NULL,
    dataset TEXT NOT NULL,
    landing TEXT NOT NULL,
    row BIGINT NOT NULL,
    state TEXT NOT NULL,
    release TEXT,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    event TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_quarantine_decision PRIMARY KEY (project, dataset, landing, row)
);

CREATE TABLE ref (
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    target TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    protection TEXT,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_ref PRIMARY KEY (project, name)
);

CREATE TABLE ref_move (
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    previous TEXT,
    target TEXT,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    evidence TEXT,
    event TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_ref_move PRIMARY KEY (project, name, epoch)
);

CREATE TABLE registered_model (
    project TEXT NOT NULL,
    line TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    actor TEXT NOT NULL,
    deleted_at BIGINT,
    CONSTRAINT pk_registered_model PRIMARY KEY (project, line)
);

CREATE UNIQUE INDEX uq_registered_model_name ON registered_model (project, name) WHERE deleted_at is null;

CREATE TABLE run (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    parent TEXT,
    root TEXT NOT NULL,
    status TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    lease_owner TEXT,
    lease_until BIGINT,
    key TEXT,
    key_parts TEXT,
    code_digest TEXT,
    bundle_digest TEXT,
    environment_digest TEXT,
    params TEXT NOT NULL,
    seed BIGINT,
    now_at BIGINT,
    actor TEXT NOT NULL,
    host TEXT NOT NULL,
    pid BIGINT,
    caused_by TEXT,
    reused_from TEXT,
    notes TEXT,
    error TEXT,
    event_at BIGINT,
    recorded_at BIGINT NOT NULL,
    started_at BIGINT,
    ended_at BIGINT,
    CONSTRAINT pk_run PRIMARY KEY (project, id)
);

CREATE INDEX ix_run_caused_by ON run (project, caused_by) WHERE caused_by is not null;

CREATE INDEX ix_run_key ON run (project, key) WHERE status = 'done' and key is not null;

CREATE INDEX ix_run_kind ON run (project, kind, id) WHERE parent is null;

CREATE INDEX ix_run_lease ON run (project, lease_until) WHERE lease_until is not null;

CREATE INDEX ix_run_pipeline ON run (project, name) WHERE kind = 'pipeline' and parent is null;

CREATE INDEX ix_run_root_path ON run (project, root, path);

CREATE TABLE run_input (
    project TEXT NOT NULL,
    run_number BIGINT NOT NULL,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    ordinal BIGINT NOT NULL,
    CONSTRAINT pk_run_input PRIMARY KEY (project, run_number, kind, source)
);

CREATE INDEX ix_run_input_source ON run_input (project, kind, source, run_number);

CREATE TABLE run_input_tag (
    project TEXT NOT NULL,
    run_number BIGINT NOT NULL,
    source TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    CONSTRAINT pk_run_input_tag PRIMARY KEY (project, run_number, source, name)
);

CREATE TABLE run_output (
    project TEXT NOT NULL,
    run_number BIGINT NOT NULL,
    model TEXT NOT NULL,
    step BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    CONSTRAINT pk_run_output PRIMARY KEY (project, run_number, model)
);

CREATE INDEX ix_run_output_model ON run_output (project, model, run_number);

CREATE TABLE run_param (
    project TEXT NOT NULL,
    run_number BIGINT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    experiment BIGINT NOT NULL,
    CONSTRAINT pk_run_param PRIMARY KEY (project, run_number, key)
);

CREATE INDEX ix_run_param_value ON run_param (project, experiment, key, substr(value, 1, 250), run_number);

CREATE TABLE run_tag (
    project TEXT NOT NULL,
    run_number BIGINT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    experiment BIGINT NOT NULL,
    CONSTRAINT pk_run_tag PRIMARY KEY (project, run_number, key)
);

CREATE INDEX ix_run_tag_value ON run_tag (project, experiment, key, substr(value, 1, 250), run_number);

CREATE TABLE schedule (
    project TEXT NOT NULL,
    pipeline TEXT NOT NULL,
    cron TEXT NOT NULL,
    timezone TEXT NOT NULL,
    publication TEXT NOT NULL,
    params TEXT NOT NULL,
    since_at BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    paused_at BIGINT,
    CONSTRAINT pk_schedule PRIMARY KEY (project, pipeline, cron, timezone)
);

CREATE INDEX ix_schedule_due ON schedule (next_at);

CREATE TABLE scorer (
    project TEXT NOT NULL,
    experiment BIGINT NOT NULL,
    name TEXT NOT NULL,
    scorer TEXT NOT NULL,
    CONSTRAINT pk_scorer PRIMARY KEY (project, experiment, name)
);

CREATE TABLE scorer_version (
    project TEXT NOT NULL,
    scorer TEXT NOT NULL,
    version BIGINT NOT NULL,
    serialized TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    CONSTRAINT pk_scorer_version PRIMARY KEY (project, scorer, version)
);

CREATE TABLE slot (
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    number BIGINT NOT NULL,
    run TEXT NOT NULL,
    root TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_slot PRIMARY KEY (project, name, number)
);

CREATE TABLE small_file (
    digest TEXT NOT NULL,
    data BYTEA NOT NULL,
    put_at BIGINT NOT NULL,
    CONSTRAINT pk_small_file PRIMARY KEY (digest)
);

CREATE TABLE snapshot (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    dataset TEXT NOT NULL,
    version BIGINT NOT NULL,
    delta_version BIGINT NOT NULL,
    parent TEXT,
    landing TEXT,
    content_id TEXT NOT NULL,
    layout_digest TEXT NOT NULL,
    columns TEXT NOT NULL,
    rows BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    run TEXT,
    recorded_at BIGINT NOT NULL,
    event_from_at BIGINT,
    event_to_at BIGINT,
    origin TEXT,
    CONSTRAINT pk_snapshot PRIMARY KEY (project, id)
);

CREATE INDEX ix_snapshot_origin ON snapshot (project, origin);

CREATE UNIQUE INDEX uq_snapshot_version ON snapshot (project, dataset, version);

CREATE TABLE source_cursor (
    project TEXT NOT NULL,
    dataset TEXT NOT NULL,
    source TEXT NOT NULL,
    cursor TEXT NOT NULL,
    landing TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_source_cursor PRIMARY KEY (project, dataset, source)
);

CREATE TABLE span (
    project TEXT NOT NULL,
    trace TEXT NOT NULL,
    span TEXT NOT NULL,
    parent TEXT,
    experiment BIGINT NOT NULL,
    name TEXT NOT NULL,
    type TEXT,
    status TEXT NOT NULL,
    start_ns BIGINT NOT NULL,
    end_ns BIGINT,
    content TEXT NOT NULL,
    model TEXT,
    provider TEXT,
    input_cost DOUBLE PRECISION,
    output_cost DOUBLE PRECISION,
    total_cost DOUBLE PRECISION,
    CONSTRAINT pk_span PRIMARY KEY (project, trace, span)
);

CREATE TABLE start_policy (
    project TEXT NOT NULL,
    pipeline TEXT NOT NULL,
    limits TEXT,
    data_window TEXT,
    claims BIGINT NOT NULL,
    CONSTRAINT pk_start_policy PRIMARY KEY (project, pipeline)
);

CREATE TABLE stored_file (
    project TEXT NOT NULL,
    folder TEXT NOT NULL,
    name TEXT NOT NULL,
    blob TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    actor TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_stored_file PRIMARY KEY (project, folder, name)
);

CREATE INDEX ix_stored_file_blob ON stored_file (blob);

CREATE TABLE stored_folder (
    project TEXT NOT NULL,
    folder TEXT NOT NULL,
    parent TEXT NOT NULL,
    sealed_at BIGINT,
    CONSTRAINT pk_stored_folder PRIMARY KEY (project, folder)
);

CREATE INDEX ix_stored_folder_parent ON stored_folder (project, parent);

CREATE TABLE stored_part (
    project TEXT NOT NULL,
    upload TEXT NOT NULL,
    number BIGINT NOT NULL,
    digest TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_stored_part PRIMARY KEY (project, upload, number)
);

CREATE TABLE stored_upload (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    folder TEXT NOT NULL,
    name TEXT NOT NULL,
    secret TEXT NOT NULL,
    parts BIGINT NOT NULL,
    actor TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_stored_upload PRIMARY KEY (project, id)
);

CREATE INDEX ix_stored_upload_age ON stored_upload (recorded_at);

CREATE UNIQUE INDEX ix_stored_upload_id ON stored_upload (id);

CREATE TABLE study (
    project TEXT NOT NULL,
    number BIGINT NOT NULL,
    name TEXT NOT NULL,
    directions TEXT NOT NULL,
    change BIGINT NOT NULL,
    trials BIGINT NOT NULL,
    run TEXT,
    actor TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    deleted_at BIGINT,
    CONSTRAINT pk_study PRIMARY KEY (project, number)
);

CREATE UNIQUE INDEX uq_study_name ON study (project, name) WHERE deleted_at is null;

CREATE TABLE study_change (
    project TEXT NOT NULL,
    study BIGINT NOT NULL,
    number BIGINT NOT NULL,
    trial BIGINT,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    CONSTRAINT pk_study_change PRIMARY KEY (project, study, number)
);

CREATE TABLE tag (
    project TEXT NOT NULL,
    subject TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    actor TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_tag PRIMARY KEY (project, subject, key)
);

CREATE TABLE trace (
    project TEXT NOT NULL,
    trace TEXT NOT NULL,
    experiment BIGINT NOT NULL,
    start_ms BIGINT NOT NULL,
    duration_ms BIGINT,
    status TEXT NOT NULL,
    name TEXT,
    session TEXT,
    client_request_id TEXT,
    request_preview TEXT,
    response_preview TEXT,
    input_tokens BIGINT,
    output_tokens BIGINT,
    total_tokens BIGINT,
    cache_read_input_tokens BIGINT,
    cache_creation_input_tokens BIGINT,
    cache_creation_input_tokens_above_1hr BIGINT,
    input_cost DOUBLE PRECISION,
    output_cost DOUBLE PRECISION,
    total_cost DOUBLE PRECISION,
    CONSTRAINT pk_trace PRIMARY KEY (project, trace)
);

CREATE INDEX ix_trace_session ON trace (project, session, trace);

CREATE INDEX ix_trace_start ON trace (project, experiment, start_ms, trace);

CREATE TABLE trace_link (
    project TEXT NOT NULL,
    trace TEXT NOT NULL,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    CONSTRAINT pk_trace_link PRIMARY KEY (project, trace, kind, target)
);

CREATE INDEX ix_trace_link_target ON trace_link (project, kind, target, trace);

CREATE TABLE trace_metadata (
    project TEXT NOT NULL,
    trace TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    CONSTRAINT pk_trace_metadata PRIMARY KEY (project, trace, key)
);

CREATE TABLE trace_tag (
    project TEXT NOT NULL,
    trace TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    CONSTRAINT pk_trace_tag PRIMARY KEY (project, trace, key)
);

CREATE TABLE tracked_dataset (
    project TEXT NOT NULL,
    experiment BIGINT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    id TEXT NOT NULL,
    source_type TEXT NOT NULL,
    source TEXT NOT NULL,
    schema TEXT,
    profile TEXT,
    CONSTRAINT pk_tracked_dataset PRIMARY KEY (project, experiment, name, digest)
);

CREATE UNIQUE INDEX uq_tracked_dataset_id ON tracked_dataset (project, id);

CREATE TABLE tracked_run (
    project TEXT NOT NULL,
    number BIGINT NOT NULL,
    run TEXT NOT NULL,
    experiment BIGINT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    user_id TEXT NOT NULL,
    origin TEXT NOT NULL,
    start_ms BIGINT,
    end_ms BIGINT,
    lifecycle TEXT NOT NULL,
    deleted_ms BIGINT,
    artifact_uri TEXT NOT NULL,
    CONSTRAINT pk_tracked_run PRIMARY KEY (project, number)
);

CREATE INDEX ix_tracked_run_start ON tracked_run (project, experiment, lifecycle, start_ms, run);

CREATE UNIQUE INDEX uq_tracked_run_run ON tracked_run (project, run);

CREATE TABLE tracking_counter (
    project TEXT NOT NULL,
    noun TEXT NOT NULL,
    next BIGINT NOT NULL,
    CONSTRAINT pk_tracking_counter PRIMARY KEY (project, noun)
);

CREATE TABLE trial (
    project TEXT NOT NULL,
    study BIGINT NOT NULL,
    number BIGINT NOT NULL,
    state TEXT NOT NULL,
    run TEXT,
    beat_at BIGINT,
    CONSTRAINT pk_trial PRIMARY KEY (project, study, number)
);

CREATE INDEX ix_trial_running ON trial (project, study, number) WHERE state = 'running';

CREATE TABLE trigger (
    project TEXT NOT NULL,
    pipeline TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    publication TEXT NOT NULL,
    params TEXT NOT NULL,
    position BIGINT NOT NULL,
    paused_at BIGINT,
    counts TEXT,
    at_least BIGINT,
    share DOUBLE PRECISION,
    counted BIGINT NOT NULL,
    total BIGINT NOT NULL,
    CONSTRAINT pk_trigger PRIMARY KEY (project, pipeline, kind, subject)
);

CREATE TABLE waiting (
    project TEXT NOT NULL,
    run TEXT NOT NULL,
    root TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    request TEXT NOT NULL,
    due_at BIGINT,
    position BIGINT,
    answer TEXT,
    actor TEXT,
    recorded_at BIGINT NOT NULL,
    answered_at BIGINT,
    claimed_at BIGINT,
    CONSTRAINT pk_waiting PRIMARY KEY (project, run)
);

CREATE INDEX ix_waiting_open ON waiting (project, kind, subject) WHERE answered_at is null;

CREATE TABLE webhook (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    description TEXT,
    status TEXT NOT NULL,
    events TEXT NOT NULL,
    secret BYTEA,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    CONSTRAINT pk_webhook PRIMARY KEY (project, id)
);
