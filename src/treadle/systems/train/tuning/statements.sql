-- Studies, their trials and changes.

-- name: insert_study
insert into study (project, number, name, directions, change, trials, run, actor, recorded_at, deleted_at)
values (:project, :number, :name, :directions, 0, 0, :run, :actor, :recorded_at, null)
on conflict do nothing;

-- name: set_study_run
update study set run = :run where project = :project and number = :number;

-- name: newest_study
select coalesce(max(number), 0) from study where project = :project;

-- name: find_study
select number, name, directions, change, trials, run, actor, recorded_at
from study where project = :project and number = :number and deleted_at is null;

-- name: find_study_named
select number, name, directions, change, trials, run, actor, recorded_at
from study where project = :project and name = :name and deleted_at is null;

-- name: studies
select number, name, directions, change, trials, run, actor, recorded_at
from study where project = :project and deleted_at is null order by number;

-- name: newest_change
select change from study where project = :project and number = :number and deleted_at is null;

-- name: advance_study
update study set change = change + 1 where project = :project and number = :number and deleted_at is null
returning change;

-- name: add_trial
update study set change = change + 1, trials = trials + 1
where project = :project and number = :number and deleted_at is null
returning change, trials - 1, run;

-- name: delete_study
update study set deleted_at = :at, change = change + 1
where project = :project and number = :number and deleted_at is null;

-- name: delete_changes
delete from study_change where project = :project and study = :number;

-- name: delete_trials
delete from trial where project = :project and study = :number;

-- name: insert_change
insert into study_change (project, study, number, trial, kind, key, body)
values (:project, :study, :number, :trial, :kind, :key, :body);

-- name: changes_after
select number, trial, kind, key, body from study_change
where project = :project and study = :study and number > :after order by number limit :limit;

-- name: insert_trial
insert into trial (project, study, number, state, run, beat_at) values (:project, :study, :number, :state, :run, null);

-- name: find_trial
select state, run from trial where project = :project and study = :study and number = :number;

-- name: move_trial
update trial set state = :state where project = :project and study = :study and number = :number;

-- name: beat_trial
update trial set beat_at = :at where project = :project and study = :study and number = :number;

-- name: stale_trials
select number from trial
where project = :project and study = :study and state = 'running' and beat_at < :before order by number;
