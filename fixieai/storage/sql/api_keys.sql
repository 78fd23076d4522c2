-- name: lock
-- The change of nothing: keys of one person are made one after the other, and none once they are removed.
UPDATE users SET username = username WHERE id = :user_id AND removed IS NULL;

-- name: insert
INSERT INTO api_keys (id, user_id, name, expires, created) VALUES (:id, :user_id, :name, :expires, :now);

-- name: active_user
SELECT users.id, username, first_name, last_name, email, time_zone, users.created, is_administrator
FROM api_keys JOIN users ON users.id = api_keys.user_id
WHERE api_keys.id = :id AND api_keys.revoked IS NULL AND users.removed IS NULL;

-- name: revoke
UPDATE api_keys SET revoked = :now WHERE id = :id AND user_id = :user_id AND revoked IS NULL;

-- name: of_user
SELECT id, name, created, revoked, expires FROM api_keys WHERE user_id = :user_id ORDER BY created DESC;

-- name: good
SELECT id, name, created, revoked, expires FROM api_keys
WHERE user_id = :user_id AND revoked IS NULL AND (expires IS NULL OR expires > :seconds)
ORDER BY created DESC;

-- name: count
SELECT count(*) FROM api_keys WHERE user_id = :user_id AND revoked IS NULL AND expires IS NULL;

-- name: end_of_sign_ins
DELETE FROM api_keys WHERE user_id = :user_id AND expires IS NOT NULL AND expires <= :seconds;

-- name: end_of_sign_in
DELETE FROM api_keys WHERE id = :id AND user_id = :user_id AND expires IS NOT NULL;
