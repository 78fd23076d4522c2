-- name: insert
INSERT INTO api_keys (id, user_id, name, created) VALUES (:id, :user_id, :name, :now);

-- name: active_user
SELECT users.id, username, first_name, last_name, email, time_zone, users.created
FROM api_keys JOIN users ON users.id = api_keys.user_id
WHERE api_keys.id = :id AND api_keys.revoked IS NULL;

-- name: revoke
UPDATE api_keys SET revoked = :now WHERE id = :id AND user_id = :user_id AND revoked IS NULL;

-- name: of_user
SELECT id, name, created, revoked FROM api_keys WHERE user_id = :user_id ORDER BY created DESC;
