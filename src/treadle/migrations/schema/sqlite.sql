-- Made by tools/compile_schema.py from the tables.py of every package. Do not edit.

CREATE TABLE anchor (
    project TEXT NOT NULL,
    position BIGINT NOT NULL,
    hash TEXT NOT NULL,
    place TEXT NOT NULL,
    signature TEXT,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_anchor PRIMARY KEY (project, position)
);

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
);

CREATE INDEX ix_artifact_blob ON artifact (blob) WHERE blob is not null;

CREATE TABLE chain (
    project TEXT NOT NULL,
    position BIGINT NOT NULL,
    hash TEXT NOT NULL,
    CONSTRAINT pk_chain PRIMARY KEY (project)
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
