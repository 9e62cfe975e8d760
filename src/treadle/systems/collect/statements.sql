-- The statements of collect.

-- name: insert_dataset
insert into dataset (project, name, id, folder, description, event_column, head_version, head_delta_version, recorded_at)
values (:project, :name, :id, :folder, :description, :event_column, 0, -1, :recorded_at)
on conflict (project, name) do nothing;

-- name: find_dataset
select name, id, folder, description, event_column, recorded_at, head_version, head_snapshot, head_delta_version,
    turn, turn_owner, turn_until
from dataset where project = :project and name = :name;

-- name: list_datasets
select name, id, folder, description, event_column, recorded_at, head_version, head_snapshot, head_delta_version,
    turn, turn_owner, turn_until
from dataset where project = :project order by name;

-- name: set_event_column
update dataset set event_column = :event_column where project = :project and name = :name and event_column is null;

-- name: take_turn
update dataset set turn = :turn, turn_owner = :owner, turn_until = :until
where project = :project and name = :name and (turn is null or turn = :turn and turn_owner = :owner);

-- name: take_over_turn
update dataset set turn_owner = :owner, turn_until = :until
where project = :project and name = :name and turn = :turn and turn_owner = :previous;

-- name: end_turn
update dataset set turn = null, turn_owner = null, turn_until = null
where project = :project and name = :name and turn = :turn;

-- name: move_head
update dataset set head_version = :version, head_snapshot = :snapshot, head_delta_version = :delta_version
where project = :project and name = :name and head_version = :version - 1;

-- name: skip_log
update dataset set head_delta_version = :delta_version
where project = :project and name = :name and head_delta_version < :delta_version;

-- name: insert_landing
insert into landing (project, id, dataset, kind, state, key, source, cursor_before, origin, rows_in, rows_kept,
    rows_refused, bytes, refused_by, run, actor, owner, lease_until, started_at)
values (:project, :id, :dataset, :kind, 'intent', :key, :source, :cursor_before, :origin, 0, 0, 0, 0, '{}', :run, :actor,
    :owner, :lease_until, :started_at);

-- name: extend_lease
update landing set lease_until = :lease_until where project = :project and id = :id and owner = :owner and state = 'intent';

-- name: plan_landing
update landing set plan = :plan, lease_until = :lease_until
where project = :project and id = :id and owner = :owner and state = 'intent' and plan is null;

-- name: commit_landing
update landing set state = 'committed', plan = null, content = :content, snapshot = :snapshot, version = :version,
    cursor_after = :cursor_after, rows_in = :rows_in, rows_kept = :rows_kept, rows_refused = :rows_refused,
    bytes = :bytes, refused_by = :refused_by, origin = :origin, run = :run, ended_at = :ended_at
where project = :project and id = :id and state = 'intent';

-- name: abandon_landing
update landing set state = 'abandoned', ended_at = :ended_at, error = :error
where project = :project and id = :id and state = 'intent' and plan is null;

-- name: find_landing
select id, dataset, kind, state, key, source, cursor_before, cursor_after, origin, plan, snapshot, version, rows_in,
    rows_kept, rows_refused, bytes, refused_by, run, actor, owner, lease_until, started_at, ended_at, error
from landing where project = :project and id = :id;

-- name: find_landing_by_key
select id, dataset, kind, state, key, source, cursor_before, cursor_after, origin, plan, snapshot, version, rows_in,
    rows_kept, rows_refused, bytes, refused_by, run, actor, owner, lease_until, started_at, ended_at, error
from landing where project = :project and dataset = :dataset and key = :key and state = 'committed';

-- name: landings_of
select id, dataset, kind, state, key, source, cursor_before, cursor_after, origin, plan, snapshot, version, rows_in,
    rows_kept, rows_refused, bytes, refused_by, run, actor, owner, lease_until, started_at, ended_at, error
from landing where project = :project and dataset = :dataset order by id;

-- name: intents
select id, dataset, owner, lease_until, plan is not null
from landing where project = :project and state = 'intent' order by id;

-- name: intents_of
select id, dataset, owner, lease_until, plan is not null
from landing where project = :project and dataset = :dataset and state = 'intent' order by id;

-- name: projects_with_intents
select distinct project from landing where state = 'intent' order by project;

-- name: insert_snapshot
insert into snapshot (project, id, dataset, version, delta_version, parent, landing, content_id, layout_digest, columns,
    rows, bytes, run, recorded_at, event_from_at, event_to_at)
values (:project, :id, :dataset, :version, :delta_version, :parent, :landing, :content_id, :layout_digest, :columns,
    :rows, :bytes, :run, :recorded_at, :event_from_at, :event_to_at);

-- name: find_snapshot
select id, dataset, version, delta_version, parent, landing, content_id, layout_digest, columns, rows, bytes, run,
    recorded_at, event_from_at, event_to_at
from snapshot where project = :project and id = :id;

-- name: find_snapshot_by_version
select id, dataset, version, delta_version, parent, landing, content_id, layout_digest, columns, rows, bytes, run,
    recorded_at, event_from_at, event_to_at
from snapshot where project = :project and dataset = :dataset and version = :version;

-- name: find_snapshot_by_time
select id, dataset, version, delta_version, parent, landing, content_id, layout_digest, columns, rows, bytes, run,
    recorded_at, event_from_at, event_to_at
from snapshot where project = :project and dataset = :dataset and recorded_at <= :at order by version desc limit 1;

-- name: list_snapshots
select id, dataset, version, delta_version, parent, landing, content_id, layout_digest, columns, rows, bytes, run,
    recorded_at, event_from_at, event_to_at
from snapshot where project = :project and dataset = :dataset order by version;

-- name: insert_file
insert into data_file (project, dataset, path, added_version, sha256, size, rows, stats)
values (:project, :dataset, :path, :version, :sha256, :size, :rows, :stats);

-- name: remove_file
update data_file set removed_version = :version
where project = :project and dataset = :dataset and path = :path and removed_version is null;

-- name: files_at
select path, sha256, size, rows, stats from data_file
where project = :project and dataset = :dataset and added_version <= :version
    and (removed_version is null or removed_version > :version)
order by added_version, path;

-- name: find_cursor
select cursor from source_cursor where project = :project and dataset = :dataset and source = :source;

-- name: move_cursor
insert into source_cursor (project, dataset, source, cursor, landing, updated_at)
values (:project, :dataset, :source, :cursor, :landing, :updated_at)
on conflict (project, dataset, source) do update set
    cursor = excluded.cursor, landing = excluded.landing, updated_at = excluded.updated_at;
