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

-- name: find_quarantine
select landing, snapshot, contract, contract_version, rows, by_rule, run, recorded_at
from quarantine where project = :project and dataset = :dataset and landing = :landing;

-- name: last_quarantine
select landing, snapshot, contract, contract_version, rows, by_rule, run, recorded_at
from quarantine where project = :project and dataset = :dataset and landing > :landing
order by landing desc limit 1;

-- name: insert_decision
insert into quarantine_decision (project, dataset, landing, row, state, release, actor, reason, event, recorded_at)
values (:project, :dataset, :landing, :row, :state, :release, :actor, :reason, :event, :recorded_at);

-- name: states_of
select landing, row, state from quarantine_decision where project = :project and dataset = :dataset order by landing, row;

-- name: find_decision
select state, release, actor, reason, recorded_at from quarantine_decision
where project = :project and dataset = :dataset and landing = :landing and row = :row;

-- name: reopen_decision
delete from quarantine_decision
where project = :project and dataset = :dataset and landing = :landing and row = :row and state = 'discarded';

-- name: count_decided
select count(*) from quarantine_decision where project = :project and dataset = :dataset and state <> 'cleaned';

-- name: decided_rows
select landing, row, state from quarantine_decision
where project = :project and dataset = :dataset and state <> 'cleaned' order by landing, row;

-- name: forget_cleaned
delete from quarantine_decision where project = :project and dataset = :dataset and state = 'cleaned';

-- name: insert_cleaning
insert into cleaning (project, landing, dataset, source, source_snapshot, source_content, contract, log, decisions,
    report, recorded_at)
values (:project, :landing, :dataset, :source, :source_snapshot, :source_content, :contract, :log, :decisions, :report,
    :recorded_at);

-- name: cleanings_of
select landing, dataset, source, source_snapshot, source_content, contract, log, decisions, report, recorded_at
from cleaning where project = :project and dataset = :dataset order by landing;

-- name: find_cleaning
select landing, dataset, source, source_snapshot, source_content, contract, log, decisions, report, recorded_at
from cleaning where project = :project and landing = :landing;

-- name: logs_of_cleanings
select log from cleaning where project = :project;

-- name: insert_incident
insert into incident (project, id, dataset, rule, cause, contract, severity, state, title, rows, occurrences,
    clean_landings, first_landing, last_landing, assignee, opened_at, updated_at)
values (:project, :id, :dataset, :rule, :cause, :contract, :severity, 'open', :title, :rows, 1, 0, :landing, :landing,
    :assignee, :at, :at);

-- name: incident_of_cause
select id, state, muted_until, rows from incident
where project = :project and dataset = :dataset and rule = :rule and cause = :cause and state <> 'resolved';

-- name: seen_again
update incident set rows = rows + :rows, occurrences = occurrences + 1, clean_landings = 0, last_landing = :landing,
    contract = :contract, severity = :severity, title = :title, state = :state, muted_until = :muted_until,
    updated_at = :at
where project = :project and id = :id;

-- name: insert_occurrence
insert into incident_occurrence (project, incident, landing, snapshot, contract, rows, recorded_at)
values (:project, :incident, :landing, :snapshot, :contract, :rows, :at)
on conflict (project, incident, landing) do nothing;

-- name: occurrences_of
select landing, snapshot, contract, rows, recorded_at from incident_occurrence
where project = :project and incident = :incident order by landing;

-- name: active_incidents
select id, rule, cause, clean_landings from incident
where project = :project and dataset = :dataset and state in ('open', 'muted') order by id;

-- name: count_clean
update incident set clean_landings = clean_landings + 1 where project = :project and id = :id;

-- name: recover_incident
update incident set state = 'recovered', clean_landings = clean_landings + 1, updated_at = :at, muted_until = null
where project = :project and id = :id and state in ('open', 'muted');

-- name: find_incident
select id, dataset, rule, cause, contract, severity, state, title, rows, occurrences, clean_landings, first_landing,
    last_landing, assignee, note, fixing_run, muted_until, opened_at, updated_at, resolved_at
from incident where project = :project and id = :id;

-- name: list_incidents
select id, dataset, rule, cause, contract, severity, state, title, rows, occurrences, clean_landings, first_landing,
    last_landing, assignee, note, fixing_run, muted_until, opened_at, updated_at, resolved_at
from incident where project = :project order by id;

-- name: assign_incident
update incident set assignee = :assignee, note = :note, updated_at = :at
where project = :project and id = :id and state <> 'resolved';

-- name: mute_incident
update incident set state = 'muted', note = :note, muted_until = :muted_until, updated_at = :at
where project = :project and id = :id and state in ('open', 'muted');

-- name: resolve_incident
update incident set state = 'resolved', note = :note, fixing_run = :fixing_run, muted_until = null, updated_at = :at,
    resolved_at = :at
where project = :project and id = :id and state <> 'resolved';

-- name: reopen_incident
update incident set state = 'open', note = :note, clean_landings = 0, fixing_run = null, resolved_at = null,
    updated_at = :at
where project = :project and id = :id and state in ('resolved', 'recovered');

-- name: insert_comment
insert into incident_comment (project, id, incident, actor, text, recorded_at)
values (:project, :id, :incident, :actor, :text, :at);

-- name: comments_of
select id, actor, text, recorded_at from incident_comment
where project = :project and incident = :incident order by id;
