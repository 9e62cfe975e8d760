-- Canaries: rollouts by steps.

-- name: insert_canary
insert into canary (project, id, endpoint, revision, model, model_version, state, step, policy, promote, baseline, slow_us,
    reason, evidence, actor, started_at, step_at, ended_at)
values (:project, :id, :endpoint, :revision, :model, :model_version, :state, :step, :policy, :promote, :baseline, :slow_us,
    :reason, :evidence, :actor, :started_at, :step_at, :ended_at);

-- name: update_canary
update canary set state = :state, step = :step, reason = :reason, evidence = :evidence, step_at = :step_at,
    ended_at = :ended_at
where project = :project and id = :id and step = :seen_step and state = :seen_state and ended_at is null;

-- name: canaries_of
select id, endpoint, revision, model, model_version, state, step, policy, promote, baseline, slow_us, reason, evidence,
    actor, started_at, step_at, ended_at
from canary where project = :project and endpoint = :endpoint order by started_at desc, id desc;

-- name: all_canaries
select id, endpoint, revision, model, model_version, state, step, policy, promote, baseline, slow_us, reason, evidence,
    actor, started_at, step_at, ended_at
from canary where project = :project order by started_at desc, id desc;

-- name: open_canaries
select id, endpoint, revision, model, model_version, state, step, policy, promote, baseline, slow_us, reason, evidence,
    actor, started_at, step_at, ended_at
from canary where project = :project and ended_at is null order by started_at, id;

-- name: insert_release
insert into model_release (project, id, endpoint, model, model_version, alias, stage, policy, reason, evidence, actor, started_at,
    stage_at, ended_at)
values (:project, :id, :endpoint, :model, :model_version, :alias, :stage, :policy, :reason, :evidence, :actor, :started_at,
    :stage_at, :ended_at);

-- name: move_release
update model_release set stage = :stage, reason = :reason, evidence = :evidence, stage_at = :stage_at, ended_at = :ended_at
where project = :project and id = :id and stage = :seen and ended_at is null;

-- name: find_release
select id, endpoint, model, model_version, alias, stage, policy, reason, evidence, actor, started_at, stage_at, ended_at
from model_release where project = :project and id = :id;

-- name: all_releases
select id, endpoint, model, model_version, alias, stage, policy, reason, evidence, actor, started_at, stage_at, ended_at
from model_release where project = :project order by started_at desc, id desc;

-- name: open_releases
select id, endpoint, model, model_version, alias, stage, policy, reason, evidence, actor, started_at, stage_at, ended_at
from model_release where project = :project and ended_at is null order by started_at, id;
