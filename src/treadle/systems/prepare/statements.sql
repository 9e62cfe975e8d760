-- The statements of prepare.

-- name: insert_report
insert into quality_report (project, id, dataset, contract, contract_version, snapshot, landing, run, passed, rows,
    refused, results, recorded_at)
values (:project, :id, :dataset, :contract, :contract_version, :snapshot, :landing, :run, :passed, :rows, :refused,
    :results, :recorded_at);

-- name: list_reports
select id, dataset, contract, contract_version, snapshot, landing, run, passed, rows, refused, results, recorded_at
from quality_report where project = :project and dataset = :dataset order by id desc limit :limit;

-- name: insert_quarantine
insert into quarantine (project, landing, dataset, snapshot, contract, contract_version, rows, by_rule, run, recorded_at)
values (:project, :landing, :dataset, :snapshot, :contract, :contract_version, :rows, :by_rule, :run, :recorded_at);

-- name: quarantines_of
select landing, snapshot, contract, contract_version, rows, by_rule, run, recorded_at
from quarantine where project = :project and dataset = :dataset order by landing;

-- name: insert_decision
insert into quarantine_decision (project, dataset, landing, row, state, release, actor, reason, event, recorded_at)
values (:project, :dataset, :landing, :row, :state, :release, :actor, :reason, :event, :recorded_at);

-- name: decisions_of
select landing, row, state, release, actor, reason, recorded_at
from quarantine_decision where project = :project and dataset = :dataset order by landing, row;

-- name: count_decisions
select state, count(*) from quarantine_decision where project = :project and dataset = :dataset
group by state order by state;

-- name: find_decision
select state, release, actor, reason from quarantine_decision
where project = :project and dataset = :dataset and landing = :landing and row = :row;

-- name: insert_incident
insert into incident (project, id, dataset, rule, cause, contract, severity, state, title, rows, occurrences,
    first_landing, last_landing, assignee, opened_at, updated_at)
values (:project, :id, :dataset, :rule, :cause, :contract, :severity, 'open', :title, :rows, 1, :landing, :landing,
    :assignee, :at, :at);

-- name: seen_again
update incident set rows = rows + :rows, occurrences = occurrences + 1, last_landing = :landing, updated_at = :at
where project = :project and dataset = :dataset and rule = :rule and cause = :cause and state <> 'resolved';

-- name: find_incident
select id, dataset, rule, cause, contract, severity, state, title, rows, occurrences, first_landing, last_landing,
    assignee, note, fixing_run, opened_at, updated_at, resolved_at
from incident where project = :project and id = :id;

-- name: list_incidents
select id, dataset, rule, cause, contract, severity, state, title, rows, occurrences, first_landing, last_landing,
    assignee, note, fixing_run, opened_at, updated_at, resolved_at
from incident where project = :project order by id;

-- name: assign_incident
update incident set assignee = :assignee, note = :note, updated_at = :at
where project = :project and id = :id and state <> 'resolved';

-- name: mute_incident
update incident set state = 'muted', note = :note, updated_at = :at
where project = :project and id = :id and state <> 'resolved';

-- name: resolve_incident
update incident set state = 'resolved', note = :note, fixing_run = :fixing_run, updated_at = :at, resolved_at = :at
where project = :project and id = :id and state <> 'resolved';
