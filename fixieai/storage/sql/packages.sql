-- name: hold
INSERT INTO package_holds (id, package_hash, until) VALUES (:id, :package_hash, :until);

-- name: let_go
UPDATE package_holds SET until = 0 WHERE id = :id;

-- name: unused
SELECT package_hash FROM package_holds WHERE until <= :now ORDER BY until LIMIT :limit;

-- name: is_needed
SELECT 1 WHERE
    EXISTS (SELECT 1 FROM revisions WHERE package_hash = :content_hash)
    OR EXISTS (SELECT 1 FROM package_holds WHERE package_hash = :content_hash AND until > :now);

-- name: end_holds
DELETE FROM package_holds WHERE package_hash = :content_hash AND until <= :now;
