-- name: insert_monitor
insert into monitor (project, id, name, endpoint, window_s, anchor_at, false_alarms_per_year, decision_threshold,
    loss_increase, kinds, task, group_column, judged_until,
    recorded_at)
values (:project, :id, :name, :endpoint, :window_s, :anchor_at, :false_alarms_per_year, :decision_threshold,
    :loss_increase, :kinds, :task, :group_column, :judged_until,
    :recorded_at)
on conflict (project, name) do nothing

-- name: find_monitor
select id, name, endpoint, window_s, anchor_at, false_alarms_per_year, decision_threshold, loss_increase, kinds,
    task, group_column, judged_until, recorded_at
from monitor where project = :project and name = :name

-- name: monitors_of_endpoint
select id, name, endpoint, window_s, anchor_at, false_alarms_per_year, decision_threshold, loss_increase, kinds,
    task, group_column, judged_until, recorded_at
from monitor where project = :project and endpoint = :endpoint order by name

-- name: monitor_judged
update monitor set judged_until = :until
where project = :project and id = :id and (judged_until is null or judged_until < :until)

-- name: list_monitors
select id, name, endpoint, window_s, anchor_at, false_alarms_per_year, decision_threshold, loss_increase, kinds,
    task, group_column, judged_until, recorded_at
from monitor where project = :project order by name

-- name: put_reference
insert into monitor_reference (project, monitor, model_version, training, validation, profile, baseline, impact,
    estimation, recorded_at)
values (:project, :monitor, :model_version, :training, :validation, :profile, :baseline, :impact,
    :estimation, :recorded_at)
on conflict (project, monitor, model_version) do update set training = excluded.training,
    validation = excluded.validation, profile = excluded.profile, baseline = excluded.baseline,
    impact = excluded.impact, estimation = excluded.estimation,
    recorded_at = excluded.recorded_at

-- name: list_references
select monitor, model_version, training, validation, profile, baseline, impact, estimation, recorded_at
from monitor_reference where project = :project and monitor = :monitor order by recorded_at, model_version

-- name: put_window
insert into monitor_window (project, monitor, starts_at, model_version, ends_at, row_count, labelled, errors,
    completeness, score, drift, performance, counts, products, quality, reference_at,
    evaluated_at)
values (:project, :monitor, :starts_at, :model_version, :ends_at, :row_count, :labelled, :errors, :completeness,
    :score, :drift, :performance, :counts, :products, :quality, :reference_at, :evaluated_at)
on conflict (project, monitor, starts_at, model_version) do update set ends_at = excluded.ends_at,
    row_count = excluded.row_count, labelled = excluded.labelled, errors = excluded.errors,
    completeness = excluded.completeness, score = excluded.score, drift = excluded.drift,
    performance = excluded.performance, counts = excluded.counts,
    products = excluded.products, quality = excluded.quality, reference_at = excluded.reference_at, evaluated_at = excluded.evaluated_at

-- name: list_windows
select monitor, model_version, starts_at, ends_at, row_count, drift, performance, counts, products, quality, reference_at,
    evaluated_at
from monitor_window where project = :project and monitor = :monitor order by starts_at, model_version

-- name: newest_windows
select monitor, model_version, starts_at, ends_at, row_count, drift, performance, counts, products, quality, reference_at,
    evaluated_at
from monitor_window where project = :project and monitor = :monitor order by starts_at desc, model_version limit :limit

-- name: window_before
select reference_at, drift
from monitor_window
where project = :project and monitor = :monitor and model_version = :model_version and starts_at < :starts_at
order by starts_at desc limit 1

-- name: list_cohorts
select starts_at, labelled, errors, completeness
from monitor_window where project = :project and monitor = :monitor and model_version = :model_version order by starts_at

-- name: insert_alert
insert into alert (project, id, monitor, endpoint, model_version, kind, state, symptoms, peak, threshold,
    first_window_at, last_window_at, judged_window_at, windows, quiet, event, recorded_at)
values (:project, :id, :monitor, :endpoint, :model_version, :kind, :state, :symptoms, :peak, :threshold,
    :first_window_at, :last_window_at, :judged_window_at, :windows, :quiet, :event, :recorded_at)

-- name: update_alert
update alert set state = :state, symptoms = :symptoms, peak = :peak, last_window_at = :last_window_at,
    judged_window_at = :judged_window_at, windows = :windows, quiet = :quiet, acknowledged_by = :acknowledged_by,
    acknowledged_at = :acknowledged_at, resolved_at = :resolved_at, resolution = :resolution
where project = :project and id = :id

-- name: find_alert
select id, monitor, endpoint, model_version, kind, state, symptoms, peak, threshold, first_window_at, last_window_at,
    judged_window_at, windows, quiet, event, recorded_at, acknowledged_by, acknowledged_at, resolved_at, resolution
from alert where project = :project and id = :id

-- name: unresolved_alerts
select id, monitor, endpoint, model_version, kind, state, symptoms, peak, threshold, first_window_at, last_window_at,
    judged_window_at, windows, quiet, event, recorded_at, acknowledged_by, acknowledged_at, resolved_at, resolution
from alert where project = :project and monitor = :monitor and state <> 'resolved' order by id

-- name: list_alerts
select id, monitor, endpoint, model_version, kind, state, symptoms, peak, threshold, first_window_at, last_window_at,
    judged_window_at, windows, quiet, event, recorded_at, acknowledged_by, acknowledged_at, resolved_at, resolution
from alert where project = :project order by id desc

-- name: insert_route
insert into alert_route (project, id, name, kind, target, endpoint, runbook, secret, recorded_at)
values (:project, :id, :name, :kind, :target, :endpoint, :runbook, :secret, :recorded_at)

-- name: find_route
select id, name, kind, target, endpoint, runbook, secret, recorded_at
from alert_route where project = :project and id = :id

-- name: list_routes
select id, name, kind, target, endpoint, runbook, secret, recorded_at
from alert_route where project = :project order by name, id

-- name: delete_route
delete from alert_route where project = :project and id = :id

-- name: insert_silence
insert into alert_silence (project, id, endpoint, column_name, until_at, reason, actor, recorded_at)
values (:project, :id, :endpoint, :column_name, :until_at, :reason, :actor, :recorded_at)

-- name: list_silences
select id, endpoint, column_name, until_at, reason, actor, recorded_at
from alert_silence where project = :project and until_at > :now order by until_at desc, id
