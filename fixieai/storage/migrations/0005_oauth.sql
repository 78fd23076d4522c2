-- `size`: bytes of key and value, in UTF-8. For what was stored before it is counted in characters,
-- which is the same for all that the SDK wrote but keys beyond ASCII.
ALTER TABLE user_storage ADD COLUMN size INTEGER NOT NULL DEFAULT 0;

-- There was no page for people to come back to until now, so these lead nowhere; and they are not encrypted.
DELETE FROM user_storage WHERE SUBSTR(key, 1, 6) = '_oauth';
UPDATE user_storage SET size = LENGTH(key) + LENGTH(value);

-- What a person's storage with one agent holds, changed together with it.
CREATE TABLE user_storage_usage (
    user_id INTEGER NOT NULL REFERENCES users (id),
    agent_id TEXT NOT NULL,
    keys INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (user_id, agent_id)
);
CREATE INDEX user_storage_usage_of_agent ON user_storage_usage (agent_id);
INSERT INTO user_storage_usage (user_id, agent_id, keys, bytes)
SELECT user_id, agent_id, COUNT(*), SUM(size) FROM user_storage GROUP BY user_id, agent_id;

-- The keys `_oauth...` of the same storage. `value` is encrypted with the platform's secret key.
CREATE TABLE oauth_values (
    user_id INTEGER NOT NULL REFERENCES users (id),
    agent_id TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (user_id, agent_id, key)
);
CREATE INDEX oauth_values_of_agent ON oauth_values (agent_id);

-- A person whom an agent sent to an OAuth provider, found again by the hash of the state they bring
-- back; the newest one of each person and agent. `expires` in Unix seconds.
CREATE TABLE oauth_flows (
    user_id INTEGER NOT NULL REFERENCES users (id),
    agent_id TEXT NOT NULL,
    state_hash TEXT NOT NULL UNIQUE,
    expires INTEGER NOT NULL,
    PRIMARY KEY (user_id, agent_id)
);
CREATE INDEX oauth_flows_by_end ON oauth_flows (expires);
