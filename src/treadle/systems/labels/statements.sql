-- The statements of labels.

-- name: insert_project
insert into label_project (project, name, schema, instructions, overlap, lease_s, actor, recorded_at)
values (:project, :name, :schema, :instructions, :overlap, :lease_s, :actor, :recorded_at)
on conflict do nothing;

-- name: find_project
select name, schema, instructions, overlap, lease_s, recorded_at from label_project
where project = :project and name = :name;

-- name: list_projects
select p.name, count(t.id), coalesce(sum(case when t.id is not null and t.closed_at is null then 1 else 0 end), 0),
    coalesce(sum(case when t.review is not null then 1 else 0 end), 0), p.recorded_at
from label_project p left join label_task t on t.project = p.project and t.labels = p.name
where p.project = :project
group by p.name, p.recorded_at order by p.name;

-- name: count_annotations
select labels, count(*) from annotation where project = :project and act = 'annotate' group by labels;

-- name: insert_task
insert into label_task (project, id, labels, source, data, priority, answered, recorded_at)
values (:project, :id, :labels, :source, :data, :priority, 0, :recorded_at)
on conflict do nothing;

-- name: find_task
select id, labels, source, data, priority, answered, review, closed_at, recorded_at from label_task
where project = :project and id = :id;

-- name: find_task_by_source
select id from label_task where project = :project and labels = :labels and source = :source;

-- name: list_tasks
select id, labels, source, data, priority, answered, review, closed_at, recorded_at from label_task
where project = :project and labels = :labels and id > :after order by id limit :limit;

-- name: leased_tasks
select t.id, t.labels, t.source, t.data, t.priority, t.answered, t.review, t.closed_at, t.recorded_at, l.until_at
from label_lease l join label_task t on t.project = l.project and t.id = l.task
where l.project = :project and l.annotator = :annotator and l.until_at > :now and t.labels = :labels
    and t.closed_at is null
order by t.priority desc, t.id;

-- name: waiting_tasks
select t.id, t.labels, t.source, t.data, t.priority, t.answered, t.review, t.closed_at, t.recorded_at
from label_task t
where t.project = :project and t.labels = :labels and t.closed_at is null
    and t.answered + (select count(*) from label_lease l
        where l.project = t.project and l.task = t.id and l.until_at > :now and l.annotator <> :annotator) < :overlap
    and not exists (select 1 from label_lease l
        where l.project = t.project and l.task = t.id and l.annotator = :annotator and l.until_at > :now)
    and not exists (select 1 from annotation a
        where a.project = t.project and a.task = t.id and a.annotator = :annotator)
order by t.priority desc, t.id limit :limit;

-- name: lock_project
select name from label_project where project = :project and name = :name;

-- name: lock_project (postgresql)
select name from label_project where project = :project and name = :name for update;

-- name: lock_task
select id from label_task where project = :project and id = :id;

-- name: lock_task (postgresql)
select id from label_task where project = :project and id = :id for update;

-- name: take_lease
insert into label_lease (project, task, annotator, until_at) values (:project, :task, :annotator, :until_at)
on conflict (project, task, annotator) do update set until_at = excluded.until_at;

-- name: drop_lease
delete from label_lease where project = :project and task = :task and annotator = :annotator;

-- name: drop_leases
delete from label_lease where project = :project and task = :task;

-- name: newest_of_annotator
select id, act from annotation
where project = :project and task = :task and annotator = :annotator and act <> 'review' order by id desc limit 1;

-- name: insert_annotation
insert into annotation (project, id, labels, task, annotator, act, value, previous, seconds, note, event_at, recorded_at)
values (:project, :id, :labels, :task, :annotator, :act, :value, :previous, :seconds, :note, :event_at, :recorded_at);

-- name: count_answer
update label_task set answered = answered + :change,
    closed_at = case when review is not null then closed_at
        when answered + :change >= :overlap then coalesce(closed_at, :now) end
where project = :project and id = :id;

-- name: review_task
update label_task set review = :review, closed_at = coalesce(closed_at, :now) where project = :project and id = :id;

-- name: annotations_of_task
select id, task, annotator, act, value, previous, seconds, note, event_at, recorded_at from annotation
where project = :project and task = :task order by id;

-- name: annotations_of_project
select id, task, annotator, act, value, previous, seconds, note, event_at, recorded_at from annotation
where project = :project and labels = :labels order by id;

-- name: sources_of_project
select id, source, closed_at from label_task where project = :project and labels = :labels order by id;
