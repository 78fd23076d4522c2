-- name: value
SELECT value FROM oauth_values WHERE user_id = :user_id AND agent_id = :agent_id AND key = :key;

-- name: others
SELECT COUNT(*) FROM oauth_values WHERE user_id = :user_id AND agent_id = :agent_id AND key <> :key;

-- name: put_value
INSERT INTO oauth_values (user_id, agent_id, key, value) VALUES (:user_id, :agent_id, :key, :value)
ON CONFLICT (user_id, agent_id, key) DO UPDATE SET value = excluded.value;

-- name: delete_value
DELETE FROM oauth_values WHERE user_id = :user_id AND agent_id = :agent_id AND key = :key;

-- name: delete_ended_flows
DELETE FROM oauth_flows WHERE expires <= :now;

-- name: begin_flow
-- A state that somebody else's flow has stays theirs.
INSERT INTO oauth_flows (user_id, agent_id, state_hash, expires)
SELECT :user_id, :agent_id, :state_hash, :expires
WHERE NOT EXISTS (
    SELECT 1 FROM oauth_flows
    WHERE state_hash = :state_hash AND NOT (user_id = :user_id AND agent_id = :agent_id)
)
ON CONFLICT (user_id, agent_id) DO UPDATE SET state_hash = excluded.state_hash, expires = excluded.expires;

-- name: flow
SELECT user_id, agent_id FROM oauth_flows WHERE state_hash = :state_hash AND expires > :now;

-- name: take_flow
DELETE FROM oauth_flows WHERE state_hash = :state_hash;

-- name: forget_values
DELETE FROM oauth_values WHERE agent_id = :agent_id;

-- name: rename_values
UPDATE oauth_values SET agent_id = :new_id WHERE agent_id = :agent_id;
