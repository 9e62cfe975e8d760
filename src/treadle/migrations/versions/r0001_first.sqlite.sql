-- Made by tools/compile_schema.py from the tables.py of every package. Do not edit.

CREATE TABLE alert (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    monitor TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    model_version TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    symptoms TEXT NOT NULL,
    peak DOUBLE NOT NULL,
    threshold DOUBLE NOT NULL,
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
)
 WITHOUT ROWID;

CREATE INDEX ix_alert_monitor ON alert (project, monitor, state);

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
    seconds DOUBLE,
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
    inline BLOB,
    meta TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    condemned_at BIGINT,
    CONSTRAINT pk_artifact PRIMARY KEY (project, digest)
)
 WITHOUT ROWID;

CREATE INDEX ix_artifact_blob ON artifact (blob) WHERE blob is not null;

CREATE TABLE chain (
    project TEXT NOT NULL,
    position BIGINT NOT NULL,
    hash TEXT NOT NULL,
    CONSTRAINT pk_chain PRIMARY KEY (project)
)
 WITHOUT ROWID;

CREATE TABLE checkpoint (
    project TEXT NOT NULL,
    root TEXT NOT NULL,
    path TEXT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    run TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_checkpoint PRIMARY KEY (project, root, path, name)
)
 WITHOUT ROWID;

CREATE TABLE code_parts (
    project TEXT NOT NULL,
    digest TEXT NOT NULL,
    parts TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_code_parts PRIMARY KEY (project, digest)
)
 WITHOUT ROWID;

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
    CONSTRAINT pk_data_file PRIMARY KEY (project, dataset, path, added_version)
)
 WITHOUT ROWID;

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
    CONSTRAINT pk_dataset PRIMARY KEY (project, name)
)
 WITHOUT ROWID;

CREATE TABLE edge (
    project TEXT NOT NULL,
    run TEXT NOT NULL,
    direction TEXT NOT NULL,
    role TEXT NOT NULL,
    digest TEXT NOT NULL,
    producer TEXT,
    CONSTRAINT pk_edge PRIMARY KEY (project, run, direction, role)
)
 WITHOUT ROWID;

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
)
 WITHOUT ROWID;

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
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_firing PRIMARY KEY (project, source, fire_at)
);

CREATE UNIQUE INDEX ix_firing_id ON firing (project, id);

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
    first_landing TEXT,
    last_landing TEXT,
    assignee TEXT,
    note TEXT,
    fixing_run TEXT,
    opened_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    resolved_at BIGINT,
    CONSTRAINT pk_incident PRIMARY KEY (project, id)
)
 WITHOUT ROWID;

CREATE UNIQUE INDEX uq_incident_open ON incident (project, dataset, rule, cause) WHERE state <> 'resolved';

CREATE TABLE label_lease (
    project TEXT NOT NULL,
    task TEXT NOT NULL,
    annotator TEXT NOT NULL,
    until_at BIGINT NOT NULL,
    CONSTRAINT pk_label_lease PRIMARY KEY (project, task, annotator)
)
 WITHOUT ROWID;

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
)
 WITHOUT ROWID;

CREATE TABLE label_task (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    labels TEXT NOT NULL,
    source TEXT NOT NULL,
    data TEXT NOT NULL,
    priority DOUBLE NOT NULL,
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
    "key" TEXT,
    source TEXT NOT NULL,
    cursor_before TEXT,
    cursor_after TEXT,
    origin TEXT NOT NULL,
    "plan" TEXT,
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
)
 WITHOUT ROWID;

CREATE INDEX ix_landing_dataset ON landing (project, dataset, id);

CREATE INDEX ix_landing_intent ON landing (project, dataset) WHERE state = 'intent';

CREATE UNIQUE INDEX uq_landing_key ON landing (project, dataset, "key") WHERE state <> 'abandoned' and key is not null;

CREATE TABLE log_chunk (
    project TEXT NOT NULL,
    run TEXT NOT NULL,
    ordinal BIGINT NOT NULL,
    stream TEXT NOT NULL,
    content TEXT NOT NULL,
    at BIGINT NOT NULL,
    CONSTRAINT pk_log_chunk PRIMARY KEY (project, run, ordinal)
)
 WITHOUT ROWID;

CREATE TABLE metric (
    project TEXT NOT NULL,
    run TEXT NOT NULL,
    "key" TEXT NOT NULL,
    ordinal BIGINT NOT NULL,
    value DOUBLE NOT NULL,
    step BIGINT NOT NULL,
    at BIGINT NOT NULL,
    CONSTRAINT pk_metric PRIMARY KEY (project, run, "key", ordinal)
)
 WITHOUT ROWID;

CREATE TABLE model_version (
    project TEXT NOT NULL,
    model TEXT NOT NULL,
    number BIGINT NOT NULL,
    digest TEXT NOT NULL,
    signature TEXT NOT NULL,
    probe TEXT,
    card TEXT,
    metrics TEXT NOT NULL,
    data TEXT NOT NULL,
    reference TEXT NOT NULL,
    description TEXT NOT NULL,
    run TEXT,
    root TEXT,
    actor TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_model_version PRIMARY KEY (project, model, number)
);

CREATE INDEX ix_model_version_digest ON model_version (project, digest);

CREATE UNIQUE INDEX uq_model_version_root ON model_version (project, model, root, digest) WHERE root is not null;

CREATE TABLE monitor (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    window_s BIGINT NOT NULL,
    anchor_at BIGINT NOT NULL,
    false_alarms_per_year DOUBLE NOT NULL,
    decision_threshold DOUBLE NOT NULL,
    loss_increase DOUBLE NOT NULL,
    kinds TEXT,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_monitor PRIMARY KEY (project, id),
    CONSTRAINT uq_monitor_project_name UNIQUE (project, name)
)
 WITHOUT ROWID;

CREATE INDEX ix_monitor_endpoint ON monitor (project, endpoint);

CREATE TABLE monitor_reference (
    project TEXT NOT NULL,
    monitor TEXT NOT NULL,
    model_version TEXT NOT NULL,
    training TEXT NOT NULL,
    validation TEXT,
    profile TEXT NOT NULL,
    baseline TEXT,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_monitor_reference PRIMARY KEY (project, monitor, model_version)
)
 WITHOUT ROWID;

CREATE TABLE monitor_window (
    project TEXT NOT NULL,
    monitor TEXT NOT NULL,
    starts_at BIGINT NOT NULL,
    model_version TEXT NOT NULL,
    ends_at BIGINT NOT NULL,
    row_count BIGINT NOT NULL,
    labelled BIGINT NOT NULL,
    errors BIGINT NOT NULL,
    completeness DOUBLE NOT NULL,
    score DOUBLE NOT NULL,
    drift TEXT NOT NULL,
    performance TEXT NOT NULL,
    counts TEXT NOT NULL,
    evaluated_at BIGINT NOT NULL,
    CONSTRAINT pk_monitor_window PRIMARY KEY (project, monitor, starts_at, model_version)
)
 WITHOUT ROWID;

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
)
 WITHOUT ROWID;

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
)
 WITHOUT ROWID;

CREATE INDEX ix_quarantine_dataset ON quarantine (project, dataset, landing);

CREATE TABLE quarantine_decision (
    project TEXT NOT NULL,
    dataset TEXT NOT NULL,
    landing TEXT NOT NULL,
    "row" BIGINT NOT NULL,
    state TEXT NOT NULL,
    release TEXT,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    event TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_quarantine_decision PRIMARY KEY (project, dataset, landing, "row")
)
 WITHOUT ROWID;

CREATE TABLE ref (
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    target TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    protection TEXT,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_ref PRIMARY KEY (project, name)
)
 WITHOUT ROWID;

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
)
 WITHOUT ROWID;

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
    "key" TEXT,
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
)
 WITHOUT ROWID;

CREATE INDEX ix_run_key ON run (project, "key") WHERE status = 'done' and key is not null;

CREATE INDEX ix_run_kind ON run (project, kind, id) WHERE parent is null;

CREATE INDEX ix_run_root_path ON run (project, root, path);

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

CREATE TABLE slot (
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    number BIGINT NOT NULL,
    run TEXT NOT NULL,
    root TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_slot PRIMARY KEY (project, name, number)
)
 WITHOUT ROWID;

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
    CONSTRAINT pk_snapshot PRIMARY KEY (project, id)
)
 WITHOUT ROWID;

CREATE UNIQUE INDEX uq_snapshot_version ON snapshot (project, dataset, version);

CREATE TABLE source_cursor (
    project TEXT NOT NULL,
    dataset TEXT NOT NULL,
    source TEXT NOT NULL,
    cursor TEXT NOT NULL,
    landing TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_source_cursor PRIMARY KEY (project, dataset, source)
)
 WITHOUT ROWID;

CREATE TABLE tag (
    project TEXT NOT NULL,
    subject TEXT NOT NULL,
    "key" TEXT NOT NULL,
    value TEXT NOT NULL,
    actor TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_tag PRIMARY KEY (project, subject, "key")
)
 WITHOUT ROWID;

CREATE TABLE "trigger" (
    project TEXT NOT NULL,
    pipeline TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    publication TEXT NOT NULL,
    params TEXT NOT NULL,
    position BIGINT NOT NULL,
    paused_at BIGINT,
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
