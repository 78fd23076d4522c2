-- name: insert
-- One at a time in a session: none is begun while another runs.
INSERT INTO queries (id, session_id, agent_id, status, created, executor_id)
SELECT :id, :session_id, :agent_id, 'running', :now, :executor_id
WHERE NOT EXISTS (SELECT 1 FROM queries WHERE session_id = :session_id AND status = 'running');

-- name: finish
UPDATE queries SET status = :status, finished = :now, error_code = :error_code, tokens = tokens + :tokens
WHERE id = :id AND status = 'running' AND executor_id = :executor_id AND EXISTS (
    SELECT 1 FROM sessions WHERE sessions.id = queries.session_id AND sessions.owner_id = :owner_id
);

-- name: get
SELECT queries.id, session_id, agent_id, status, queries.created, finished, error_code
FROM queries JOIN sessions ON sessions.id = queries.session_id
WHERE queries.id = :id AND sessions.owner_id = :owner_id;

-- name: left_behind
SELECT id FROM queries
WHERE status = 'running' AND coalesce(executor_id, '') NOT IN (SELECT id FROM executors)
LIMIT :limit;

-- name: take
-- Whoever was taken for dead and does not know yet takes nothing: it may still run what was its own.
UPDATE queries SET executor_id = :executor_id, attempts = attempts + 1
WHERE
    id IN (:ids) AND status = 'running' AND :executor_id IN (SELECT id FROM executors)
    AND (executor_id = :executor_id OR coalesce(executor_id, '') NOT IN (SELECT id FROM executors))
RETURNING id;

-- name: take_again
UPDATE queries SET attempts = attempts + 1
WHERE
    session_id = :session_id AND status = 'running' AND executor_id = :executor_id
    AND (:query_id = 0 OR id = :query_id)
RETURNING id;

-- name: unfinished
SELECT
    queries.id, queries.agent_id, queries.attempts, queries.is_cancelled,
    users.id, users.username, users.time_zone,
    sessions.id, sessions.handle, sessions.name, frontend_agent_id, sessions.created, sessions.modified
FROM queries
JOIN sessions ON sessions.id = queries.session_id
JOIN users ON users.id = sessions.owner_id
WHERE queries.id IN (:ids) ORDER BY queries.id;

-- name: cancel
UPDATE queries SET is_cancelled = 1
WHERE session_id = :session_id AND status = 'running' AND EXISTS (
    SELECT 1 FROM sessions WHERE sessions.id = queries.session_id AND sessions.owner_id = :owner_id
)
RETURNING id;

-- name: cancelled
SELECT id FROM queries WHERE status = 'running' AND executor_id = :executor_id AND is_cancelled = 1;
