-- The statements of search that need no composing.

-- name: metric_keys
select name, number from metric_key where project = :project and name in (select value from json_each(:names));

-- name: metric_keys (postgresql)
select name, number from metric_key
where project = :project and name in (select v from json_array_elements_text(cast(:names as json)) as j(v));

-- name: metrics_of_page
select l.run_number, k.name, l.value, l.is_nan, l.at_ms, l.step
from metric_latest l join metric_key k on k.project = l.project and k.number = l.key
where l.project = :project
    and l.run_number in (select value from json_each(:numbers))
    and (:has_all = 1 or k.name in (select value from json_each(:names)))
order by l.run_number, l.key;

-- name: metrics_of_page (postgresql)
select l.run_number, k.name, l.value, l.is_nan, l.at_ms, l.step
from metric_latest l join metric_key k on k.project = l.project and k.number = l.key
where l.project = :project
    and l.run_number in (select cast(v as bigint) from json_array_elements_text(cast(:numbers as json)) as j(v))
    and (:has_all = 1 or k.name in (select v from json_array_elements_text(cast(:names as json)) as n(v)))
order by l.run_number, l.key;

-- name: params_of_page
select run_number, key, value from run_param
where project = :project
    and run_number in (select value from json_each(:numbers))
    and (:has_all = 1 or key in (select value from json_each(:names)))
order by run_number, key;

-- name: params_of_page (postgresql)
select run_number, key, value from run_param
where project = :project
    and run_number in (select cast(v as bigint) from json_array_elements_text(cast(:numbers as json)) as j(v))
    and (:has_all = 1 or key in (select v from json_array_elements_text(cast(:names as json)) as n(v)))
order by run_number, key;

-- name: tags_of_page
select run_number, key, value from run_tag
where project = :project
    and run_number in (select value from json_each(:numbers))
    and (:has_all = 1 or key in (select value from json_each(:names)))
order by run_number, key;

-- name: tags_of_page (postgresql)
select run_number, key, value from run_tag
where project = :project
    and run_number in (select cast(v as bigint) from json_array_elements_text(cast(:numbers as json)) as j(v))
    and (:has_all = 1 or key in (select v from json_array_elements_text(cast(:names as json)) as n(v)))
order by run_number, key;

-- name: newest_run
select max(number) from tracked_run where project = :project;
