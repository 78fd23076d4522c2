-- name: insert
-- Whoever was removed begins none.
INSERT INTO sessions (id, owner_id, handle, name, frontend_agent_id, created, modified)
SELECT :id, users.id, :handle, :name, :frontend_agent_id, :now, :now
FROM users WHERE users.id = :owner_id AND removed IS NULL
ON CONFLICT (owner_id, handle) DO NOTHING;

-- name: get
SELECT id, handle, name, frontend_agent_id, created, modified
FROM sessions WHERE owner_id = :owner_id AND handle = :handle;

-- name: page
SELECT id, handle, name, frontend_agent_id, created, modified
FROM sessions WHERE owner_id = :owner_id AND id < :before ORDER BY id DESC LIMIT :limit;

-- name: touch
UPDATE sessions SET modified = :now, name = coalesce(name, :name)
WHERE id = :session_id AND owner_id = :owner_id;

-- name: lock
SELECT id FROM sessions WHERE id = :session_id AND owner_id = :owner_id /* Postgres: FOR NO KEY UPDATE */;

-- name: delete_queries
DELETE FROM queries WHERE id IN (
    SELECT messages.query_id FROM messages JOIN sessions ON sessions.id = messages.session_id
    WHERE sessions.id = :session_id AND sessions.owner_id = :owner_id
);

-- name: delete
DELETE FROM sessions WHERE id = :session_id AND owner_id = :owner_id;
