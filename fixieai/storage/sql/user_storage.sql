-- name: get
SELECT value FROM user_storage WHERE user_id = :user_id AND agent_id = :agent_id AND key = :key;

-- name: is_present
SELECT 1 FROM user_storage WHERE user_id = :user_id AND agent_id = :agent_id AND key = :key;

-- name: put
INSERT INTO user_storage (user_id, agent_id, key, value) VALUES (:user_id, :agent_id, :key, :value)
ON CONFLICT (user_id, agent_id, key) DO UPDATE SET value = excluded.value;

-- name: delete
DELETE FROM user_storage WHERE user_id = :user_id AND agent_id = :agent_id AND key = :key;

-- name: first_page
SELECT key, value FROM user_storage
WHERE user_id = :user_id AND agent_id = :agent_id ORDER BY key LIMIT :limit;

-- name: page
SELECT key, value FROM user_storage
WHERE user_id = :user_id AND agent_id = :agent_id AND key > :after ORDER BY key LIMIT :limit;
