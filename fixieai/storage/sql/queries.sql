-- name: insert
INSERT INTO queries (id, session_id, agent_id, status, created)
VALUES (:id, :session_id, :agent_id, 'running', :now);

-- name: finish
UPDATE queries SET status = :status, finished = :now, error_code = :error_code
WHERE id = :id AND status = 'running' AND EXISTS (
    SELECT 1 FROM sessions WHERE sessions.id = queries.session_id AND sessions.owner_id = :owner_id
)
RETURNING session_id;

-- name: get
SELECT queries.id, session_id, agent_id, status, queries.created, finished, error_code
FROM queries JOIN sessions ON sessions.id = queries.session_id
WHERE queries.id = :id AND sessions.owner_id = :owner_id;

-- name: running
SELECT owner_id, queries.id FROM queries JOIN sessions ON sessions.id = queries.session_id
WHERE status = 'running' ORDER BY queries.id;
