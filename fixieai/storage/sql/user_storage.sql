-- name: get
SELECT value FROM user_storage WHERE user_id = :user_id AND agent_id = :agent_id AND key = :key;

-- name: size
SELECT size FROM user_storage WHERE user_id = :user_id AND agent_id = :agent_id AND key = :key;

-- name: put
INSERT INTO user_storage (user_id, agent_id, key, value, size) VALUES (:user_id, :agent_id, :key, :value, :size)
ON CONFLICT (user_id, agent_id, key) DO UPDATE SET value = excluded.value, size = excluded.size;

-- name: delete
DELETE FROM user_storage WHERE user_id = :user_id AND agent_id = :agent_id AND key = :key;

-- name: first_keys
SELECT key, size FROM user_storage
WHERE user_id = :user_id AND agent_id = :agent_id ORDER BY key LIMIT :limit;

-- name: keys
SELECT key, size FROM user_storage
WHERE user_id = :user_id AND agent_id = :agent_id AND key > :after ORDER BY key LIMIT :limit;

-- name: between
SELECT key, value FROM user_storage
WHERE user_id = :user_id AND agent_id = :agent_id AND key >= :first AND key <= :last ORDER BY key;

-- name: used
SELECT keys, bytes FROM user_storage_usage WHERE user_id = :user_id AND agent_id = :agent_id;

-- name: lock_usage
-- The change of nothing makes a second writer wait for the first, where there can be two.
INSERT INTO user_storage_usage (user_id, agent_id, keys, bytes) VALUES (:user_id, :agent_id, 0, 0)
ON CONFLICT (user_id, agent_id) DO UPDATE SET keys = user_storage_usage.keys
RETURNING keys, bytes;

-- name: change_usage
UPDATE user_storage_usage SET keys = keys + :keys, bytes = bytes + :bytes
WHERE user_id = :user_id AND agent_id = :agent_id;

-- name: people
SELECT user_id FROM user_storage_usage WHERE agent_id = :agent_id;

-- name: empty
DELETE FROM user_storage WHERE user_id = :user_id AND agent_id = :agent_id;

-- name: forget_usage
DELETE FROM user_storage_usage WHERE user_id = :user_id AND agent_id = :agent_id;

-- name: rename_values
UPDATE user_storage SET agent_id = :new_id WHERE user_id = :user_id AND agent_id = :agent_id;

-- name: rename_usage
UPDATE user_storage_usage SET agent_id = :new_id WHERE user_id = :user_id AND agent_id = :agent_id;
