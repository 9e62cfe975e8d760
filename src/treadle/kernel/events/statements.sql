-- The event log. Readers follow positions, never ids: ids that commit out of order would be missed.

-- name: insert_event
insert into event (project, id, kind, subject, actor, body, recorded_at, event_at, position, hash)
values (:project, :id, :kind, :subject, :actor, :body, :recorded_at, :event_at, :position, :hash);

-- name: find_head
select position, hash from chain where project = :project;

-- name: move_head
insert into chain (project, position, hash) values (:project, :position, :hash)
on conflict (project) do update set position = excluded.position, hash = excluded.hash;

-- name: events_since
select id, kind, subject, actor, body, recorded_at, position, event_at, hash
from event where project = :project and position > :position order by position;

-- name: newest_events
select id, kind, subject, actor, body, recorded_at, position, event_at, hash
from event where project = :project and position < :before order by position desc limit :limit;

-- name: events_about
select id, kind, subject, actor, body, recorded_at, position, event_at, hash
from event where project = :project and subject = :subject and position is not null order by position;

-- name: events_below
select id, kind, subject, actor, body, recorded_at, position, event_at, hash
from event where project = :project and subject >= :low and subject < :high and position is not null order by position;

-- name: find_event
select id, kind, subject, actor, body, recorded_at, position, event_at, hash
from event where project = :project and id = :id;

-- name: any_unsealed
select 1 from event where project = :project and position is null limit 1;

-- One sealer at a time; the lock ends with the transaction.
-- name: lock_chain (postgresql)
select pg_advisory_xact_lock(hashtextextended('treadle.chain.' || :project, 0));
-- name: lock_chain (sqlite)
select 1 where :project is not null;

-- name: unsealed_events
select id, kind, subject, actor, body, recorded_at, event_at
from event where project = :project and position is null order by id limit :limit;

-- name: seal_event
update event set position = :position, hash = :hash where project = :project and id = :id and position is null;

-- The outbox: acts on the world that follow from a commit.

-- name: insert_parcel
insert into outbox (project, id, event, kind, payload, attempts, next_at, recorded_at)
values (:project, :id, :event, :kind, :payload, 0, :at, :at);

-- name: due_parcels
select project, id, event, kind, payload, attempts, recorded_at from outbox
where done_at is null and kind = :kind and next_at <= :now and (lease_until is null or lease_until < :now)
order by next_at limit :limit;

-- name: lease_parcel
update outbox set lease_owner = :owner, lease_until = :until
where project = :project and id = :id and done_at is null and (lease_until is null or lease_until < :now);

-- name: settle_parcel
update outbox set attempts = :attempts, next_at = :next_at, problem = :problem, done_at = :done_at, lease_owner = null,
    lease_until = null
where project = :project and id = :id and lease_owner = :owner;

-- name: sweep_parcels
delete from outbox where done_at < :before;
