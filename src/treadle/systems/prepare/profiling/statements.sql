-- The statements of profiles.

-- name: find_profile
select digest from column_profile where project = :project and about = :about;

-- name: keep_profile
insert into column_profile (project, about, digest, rows, recorded_at)
values (:project, :about, :digest, :rows, :recorded_at)
on conflict (project, about) do update set digest = excluded.digest, rows = excluded.rows,
    recorded_at = excluded.recorded_at;

-- name: profile_digests
select digest from column_profile where project = :project;
