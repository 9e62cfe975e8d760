-- The statements of anomalies.

-- name: remembered
select landing, figures, verdict, overdue_at from landing_figures
where project = :project and dataset = :dataset order by landing desc limit :limit;

-- name: remember
insert into landing_figures (project, dataset, landing, figures, recorded_at)
values (:project, :dataset, :landing, :figures, :recorded_at)
on conflict (project, dataset, landing) do nothing;

-- name: judge_landing
update landing_figures set verdict = :verdict
where project = :project and dataset = :dataset and landing = :landing and verdict is null;

-- name: tell_overdue
update landing_figures set overdue_at = :at
where project = :project and dataset = :dataset and landing = :landing and overdue_at is null;

-- name: forget_before
delete from landing_figures where project = :project and dataset = :dataset and landing < :landing;

-- name: watched_datasets
select distinct dataset from landing_figures where project = :project order by dataset;
