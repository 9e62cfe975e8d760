-- Accounts, roles and tokens. Accounts and tokens stand under the project '*': they belong to the home.

-- name: insert_account
insert into account (project, name, password, created_by, created_at)
values ('*', :name, :password, :created_by, :created_at) on conflict (project, name) do nothing;

-- name: find_account
select password, created_by, created_at from account where project = '*' and name = :name;

-- name: list_accounts
select name, password, created_by, created_at from account where project = '*' order by name;

-- name: any_account
select 1 from account where project = '*' limit 1;

-- name: set_password
update account set password = :password where project = '*' and name = :name;

-- name: delete_account
delete from account where project = '*' and name = :name;

-- name: put_role
insert into account_role (project, account, role) values (:project, :account, :role)
on conflict (project, account) do update set role = excluded.role;

-- name: roles_of
select project, role from account_role where account = :account order by project;

-- name: delete_roles
delete from account_role where account = :account;

-- name: insert_token
insert into access_token (project, digest, id, account, label, created_at, expires_at)
values ('*', :digest, :id, :account, :label, :created_at, :expires_at);

-- name: find_token
select id, account, label, created_at, expires_at from access_token where project = '*' and digest = :digest;

-- name: find_token_by_id
select id, account, label, created_at, expires_at from access_token where project = '*' and id = :id;

-- name: list_tokens
select id, account, label, created_at, expires_at from access_token where project = '*' order by account, id;

-- name: delete_token
delete from access_token where project = '*' and id = :id;

-- name: delete_tokens_of
delete from access_token where project = '*' and account = :account;
