-- Webhooks.

-- name: find_webhook
select project, id, name, url, description, status, events, secret, created_ms, updated_ms
from webhook where project = :project and id = :id;

-- name: webhooks
select project, id, name, url, description, status, events, secret, created_ms, updated_ms
from webhook where project = :project order by created_ms desc, id desc;

-- name: active_webhooks
select id, events from webhook where project = :project and status = 'ACTIVE' order by id;

-- name: insert_webhook
insert into webhook (project, id, name, url, description, status, events, secret, created_ms, updated_ms)
values (:project, :id, :name, :url, :description, :status, :events, :secret, :created_ms, :updated_ms);

-- name: update_webhook
update webhook set name = :name, url = :url, description = :description, status = :status, events = :events,
    secret = :secret, updated_ms = :updated_ms
where project = :project and id = :id;

-- name: delete_webhook
delete from webhook where project = :project and id = :id;
