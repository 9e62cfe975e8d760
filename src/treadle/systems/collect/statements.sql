-- The statements of collect.

-- name: insert_dataset
insert into dataset (project, name, id, folder, description, event_column, head_version, head_snapshot, head_delta_version,
    recorded_at, branch_of, base, depth)
values (:project, :name, :id, :folder, :description, :event_column, 0, :base, :delta_version, :recorded_at, :branch_of, :base,
    :depth)
on conflict (project, name) do nothing;

-- name: find_dataset
select name, id, folder, description, event_column, recorded_at, head_version, head_snapshot, head_delta_version,
    turn, turn_owner, turn_until, branch_of, base, depth
from dataset where project = :project and name = :name;

-- name: list_branches
select name, id, folder, description, event_column, recorded_at, head_version, head_snapshot, head_delta_version,
    turn, turn_owner, turn_until, branch_of, base, depth
from dataset where project = :project and branch_of = :name order by name;

-- name: find_base
select base from dataset where project = :project and name = :name;

-- name: rename_dataset
update dataset set name = :dropped where project = :project and name = :name and turn is null;

-- name: rename_snapshots
update snapshot set dataset = :dropped where project = :project and dataset = :name;

-- name: rename_files
update data_file set dataset = :dropped where project = :project and dataset = :name;

-- name: rename_landings
update landing set dataset = :dropped where project = :project and dataset = :name;

-- name: delete_cursors
delete from source_cursor where project = :project and dataset = :name;

-- A batch that main began to land after the merge was planned keeps its name there, and this one gives it up.
-- name: take_landings
update landing set dataset = :main, snapshot = :snapshot, version = :version, key = case when exists (
    select 1 from landing m where m.project = landing.project and m.dataset = :main and m.key = landing.key
        and m.state <> 'abandoned') then null else key end
where project = :project and dataset = :name and state = 'committed';

-- name: batches_of_both
select b.key from landing b join landing m on m.project = b.project and m.dataset = :main and m.key = b.key
    and m.state <> 'abandoned'
where b.project = :project and b.dataset = :name and b.state = 'committed' and b.key is not null order by b.key;

-- name: cursors_at
select source, cursor_after, id from landing
where project = :project and dataset = :dataset and state = 'committed' and version <= :version and cursor_after is not null
order by id;

-- name: unkeyed_sources
select distinct source from landing
where project = :project and dataset = :dataset and state = 'committed' and cursor_after is not null and key is null;

-- name: list_datasets
select name, id, folder, description, event_column, recorded_at, head_version, head_snapshot, head_delta_version,
    turn, turn_owner, turn_until, branch_of, base, depth
from dataset where project = :project and branch_of is null order by name;

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

-- name: overtake_landing
update landing set state = 'abandoned', ended_at = :ended_at, error = :error
where project = :project and id = :id and state = 'intent';

-- name: find_landing
select id, dataset, kind, state, key, source, cursor_before, cursor_after, origin, plan, snapshot, version, rows_in,
    rows_kept, rows_refused, bytes, refused_by, run, actor, owner, lease_until, started_at, ended_at, error
from landing where project = :project and id = :id;

-- name: find_landing_by_key
select id, dataset, kind, state, key, source, cursor_before, cursor_after, origin, plan, snapshot, version, rows_in,
    rows_kept, rows_refused, bytes, refused_by, run, actor, owner, lease_until, started_at, ended_at, error
from landing where project = :project and dataset = :dataset and key = :key and state = 'committed';

-- name: newest_landings_of
select id, dataset, kind, state, key, source, cursor_before, cursor_after, origin, plan, snapshot, version, rows_in,
    rows_kept, rows_refused, bytes, refused_by, run, actor, owner, lease_until, started_at, ended_at, error
from landing where project = :project and dataset = :dataset and source = :source order by id desc limit :limit;

-- name: totals_of_source
select count(*), coalesce(sum(rows_kept), 0), max(ended_at)
from landing where project = :project and dataset = :dataset and source = :source and state = 'committed';

-- name: landings_of
select id, dataset, kind, state, key, source, cursor_before, cursor_after, origin, plan, snapshot, version, rows_in,
    rows_kept, rows_refused, bytes, refused_by, run, actor, owner, lease_until, started_at, ended_at, error
from landing where project = :project and dataset = :dataset order by id;

-- name: newest_appends
select id, dataset, kind, state, key, source, cursor_before, cursor_after, origin, plan, snapshot, version, rows_in,
    rows_kept, rows_refused, bytes, refused_by, run, actor, owner, lease_until, started_at, ended_at, error
from landing where project = :project and dataset = :dataset and state = 'committed' and kind = 'append'
order by id desc limit :limit;

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
    rows, bytes, run, recorded_at, event_from_at, event_to_at, origin)
values (:project, :id, :dataset, :version, :delta_version, :parent, :landing, :content_id, :layout_digest, :columns,
    :rows, :bytes, :run, :recorded_at, :event_from_at, :event_to_at, :origin);

-- name: find_snapshot
select id, dataset, version, delta_version, parent, landing, content_id, layout_digest, columns, rows, bytes, run,
    recorded_at, event_from_at, event_to_at, origin
from snapshot where project = :project and id = :id;

-- name: find_snapshot_by_version
select id, dataset, version, delta_version, parent, landing, content_id, layout_digest, columns, rows, bytes, run,
    recorded_at, event_from_at, event_to_at, origin
from snapshot where project = :project and dataset = :dataset and version = :version;

-- name: find_snapshot_by_time
select id, dataset, version, delta_version, parent, landing, content_id, layout_digest, columns, rows, bytes, run,
    recorded_at, event_from_at, event_to_at, origin
from snapshot where project = :project and dataset = :dataset and recorded_at <= :at order by version desc limit 1;

-- name: list_snapshots
select id, dataset, version, delta_version, parent, landing, content_id, layout_digest, columns, rows, bytes, run,
    recorded_at, event_from_at, event_to_at, origin
from snapshot where project = :project and dataset = :dataset order by version;

-- name: insert_file
insert into data_file (project, dataset, path, added_version, sha256, size, rows, stats, place)
values (:project, :dataset, :path, :version, :sha256, :size, :rows, :stats, :place);

-- name: take_away_file
insert into data_file (project, dataset, path, added_version, removed_version, sha256, size, rows, stats, place)
values (:project, :dataset, :path, 0, :version, :sha256, :size, :rows, :stats, :place)
on conflict (project, dataset, path, added_version) do nothing;

-- name: taken_away
select path from data_file
where project = :project and dataset = :dataset and added_version = 0 and removed_version <= :version;

-- name: remove_file
update data_file set removed_version = :version
where project = :project and dataset = :dataset and path = :path and removed_version is null;

-- name: files_at
select path, sha256, size, rows, stats, place, deleted_at from data_file
where project = :project and dataset = :dataset and added_version between 1 and :version
    and (removed_version is null or removed_version > :version)
order by place;

-- name: find_cursor
select cursor from source_cursor where project = :project and dataset = :dataset and source = :source;

-- name: move_cursor
insert into source_cursor (project, dataset, source, cursor, landing, updated_at)
values (:project, :dataset, :source, :cursor, :landing, :updated_at)
on conflict (project, dataset, source) do update set
    cursor = excluded.cursor, landing = excluded.landing, updated_at = excluded.updated_at;

-- Clean-up reads every snapshot and every row of a file list: what a file is held by is a question about all of them.
-- name: every_owner
select name, folder, head_snapshot, base from dataset where project = :project order by name;

-- name: every_snapshot
select id, dataset, version, delta_version, content_id, origin, recorded_at from snapshot where project = :project;

-- name: every_file
select dataset, path, added_version, removed_version, size, condemned_at, deleted_at from data_file where project = :project;

-- Each once: the branches of a dataset list its files in its folder.
-- name: standing_files
select distinct d.folder, f.path, f.size, f.sha256 from data_file f join dataset d on d.project = f.project and d.name = f.dataset
where f.project = :project and f.deleted_at is null order by d.folder, f.path;

-- name: plans
select plan from landing where project = :project and state = 'intent' and plan is not null;

-- name: active_landings
select id from landing where project = :project and state = 'intent';

-- name: condemn_file
update data_file set condemned_at = :at
where project = :project and dataset = :dataset and path = :path and added_version = :added and condemned_at is null;

-- name: reprieve_file
update data_file set condemned_at = null
where project = :project and dataset = :dataset and path = :path and added_version = :added and deleted_at is null;

-- name: delete_file
update data_file set deleted_at = :at
where project = :project and dataset = :dataset and path = :path and added_version = :added and condemned_at < :before
    and deleted_at is null;

-- name: any_condemned
select 1 from data_file where project = :project and condemned_at is not null and deleted_at is null limit 1;

-- name: hold_file
update data_file set condemned_at = null where project = :project and path = :path and deleted_at is null;

-- name: is_deleted
select 1 from data_file where project = :project and path = :path and deleted_at is not null limit 1;

-- name: twins_of
select id, dataset, version, delta_version, parent, landing, content_id, layout_digest, columns, rows, bytes, run,
    recorded_at, event_from_at, event_to_at, origin
from snapshot where project = :project and (origin = :origin or id = :origin) order by recorded_at desc;

-- name: name_blob
insert into manifest_blob (project, dataset, path, blob, size) values (:project, :dataset, :path, :blob, :size)
on conflict (project, path, blob) do nothing;

-- Of every project: blobs are shared.
-- name: blobs_of_manifests
select distinct b.blob from manifest_blob b
where exists (select 1 from data_file f where f.project = b.project and f.path = b.path and f.deleted_at is null);

-- name: manifest_with_blob
select 1 from manifest_blob b
where b.blob = :blob
    and exists (select 1 from data_file f where f.project = b.project and f.path = b.path and f.deleted_at is null)
limit 1;

-- name: sizes_of_manifest_blobs
select b.dataset, b.path, b.blob, b.size from manifest_blob b
where b.project = :project
    and exists (select 1 from data_file f where f.project = b.project and f.path = b.path and f.deleted_at is null)
order by b.blob;
