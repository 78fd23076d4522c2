-- name: contents
SELECT DISTINCT content_hash FROM embeds WHERE content_hash > :after ORDER BY content_hash LIMIT :limit;

-- name: packages
SELECT DISTINCT package_hash FROM revisions WHERE package_hash > :after ORDER BY package_hash LIMIT :limit;

-- name: gaps
SELECT session_id, count(*), min(position), max(position) FROM messages GROUP BY session_id
HAVING max(position) - min(position) + 1 <> count(*) LIMIT :limit;

-- name: lost_questions
SELECT queries.id, queries.session_id FROM queries
WHERE NOT EXISTS (SELECT 1 FROM messages WHERE messages.id = queries.id)
    AND NOT EXISTS (
        SELECT 1 FROM messages WHERE messages.session_id = queries.session_id AND query_id = queries.id
    )
LIMIT :limit;

-- name: lost_queries
-- What is being removed of nobody's sessions is in no order.
SELECT messages.id, messages.session_id FROM messages JOIN sessions ON sessions.id = messages.session_id
WHERE sessions.owner_id <> 0 AND NOT EXISTS (SELECT 1 FROM queries WHERE queries.id = messages.query_id)
LIMIT :limit;

-- name: lost_revisions
SELECT username, handle FROM agents JOIN users ON users.id = agents.owner_id
WHERE current_revision_id IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM revisions WHERE revisions.id = agents.current_revision_id)
LIMIT :limit;

-- name: miscounted_storage
SELECT username, used.agent_id FROM user_storage_usage AS used JOIN users ON users.id = used.user_id
WHERE (used.keys, used.bytes) <> (
    SELECT count(*), coalesce(sum(size), 0) FROM user_storage
    WHERE user_storage.user_id = used.user_id AND user_storage.agent_id = used.agent_id
)
LIMIT :limit;

-- name: sealed_value
SELECT value FROM oauth_values LIMIT 1;
