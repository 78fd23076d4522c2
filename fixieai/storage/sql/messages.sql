-- name: append
-- The next position is one look at the end of an index: no counter that every message would write too.
-- Whoever does not run the query (any more) adds nothing to it; while it is added to, nobody takes it. Nor
-- is anything added behind its end.
INSERT INTO messages (
    id, session_id, query_id, position, type, name, sender, text, embeds, model, created, depth
)
SELECT
    :id, sessions.id, queries.id,
    (SELECT coalesce(max(position), 0) + 1 FROM messages WHERE session_id = :session_id),
    :type, :name, :sender, :text, :embeds, :model, :now, :depth
FROM sessions JOIN queries ON queries.id = :query_id AND queries.session_id = sessions.id
WHERE
    sessions.id = :session_id AND sessions.owner_id = :owner_id AND queries.executor_id = :executor_id
    AND queries.status = 'running'
/* Postgres: FOR NO KEY UPDATE OF queries */
RETURNING position;

-- name: append_question
INSERT INTO messages (
    id, session_id, query_id, position, type, name, sender, text, embeds, model, created
)
SELECT
    :id, sessions.id, :id,
    (SELECT coalesce(max(position), 0) + 1 FROM messages WHERE session_id = :session_id),
    :type, :name, :sender, :text, :embeds, :model, :now
FROM sessions WHERE sessions.id = :session_id AND sessions.owner_id = :owner_id
RETURNING position;

-- name: of_query
SELECT
    messages.id, session_id, query_id, position, type, messages.name, sender, text, embeds, model,
    messages.created, depth
FROM sessions JOIN messages ON messages.session_id = sessions.id
WHERE
    sessions.id = :session_id AND sessions.owner_id = :owner_id AND query_id = :query_id
    AND position >= (SELECT others.position FROM messages AS others WHERE others.id = :query_id)
ORDER BY position;

-- name: page
SELECT
    messages.id, session_id, query_id, position, type, messages.name, sender, text, embeds, model,
    messages.created, depth
FROM sessions JOIN messages ON messages.session_id = sessions.id
WHERE sessions.id = :session_id AND sessions.owner_id = :owner_id AND position > :after
ORDER BY position LIMIT :limit;

-- name: window
SELECT
    messages.id, session_id, query_id, position, type, messages.name, sender, text, embeds, model,
    messages.created, depth
FROM sessions JOIN messages ON messages.session_id = sessions.id
WHERE sessions.id = :session_id AND sessions.owner_id = :owner_id AND position < :before
ORDER BY position DESC LIMIT :limit;

-- name: with_embeds
SELECT
    messages.id, session_id, query_id, position, type, messages.name, sender, text, embeds, model,
    messages.created, depth
FROM sessions JOIN messages ON messages.session_id = sessions.id
WHERE sessions.id = :session_id AND sessions.owner_id = :owner_id AND position > :after AND embeds <> '{}'
ORDER BY position LIMIT :limit;

-- name: newest
SELECT
    messages.id, session_id, query_id, position, type, messages.name, sender, text, embeds, model,
    messages.created, depth
FROM sessions JOIN messages ON messages.session_id = sessions.id
WHERE
    sessions.id IN (:session_ids) AND sessions.owner_id = :owner_id
    AND position > (
        SELECT max(others.position) FROM messages AS others WHERE others.session_id = sessions.id
    ) - :each
ORDER BY sessions.id, position LIMIT :limit;

-- name: pages
SELECT
    messages.id, session_id, query_id, position, type, messages.name, sender, text, embeds, model,
    messages.created, depth
FROM sessions JOIN messages ON messages.session_id = sessions.id
WHERE
    sessions.id IN (:session_ids) AND sessions.owner_id = :owner_id
    AND position > :after AND position <= :until
ORDER BY sessions.id, position LIMIT :limit;

-- name: of_ids
SELECT
    messages.id, session_id, query_id, position, type, messages.name, sender, text, embeds, model,
    messages.created, depth
FROM sessions JOIN messages ON messages.session_id = sessions.id
WHERE messages.id IN (:message_ids) AND sessions.owner_id = :owner_id;

-- name: exchange
-- The lines of a query stand together: one query at a time is answered in a session.
SELECT
    messages.id, session_id, query_id, position, type, messages.name, sender, text, embeds, model,
    messages.created, depth
FROM sessions JOIN messages ON messages.session_id = sessions.id
WHERE
    sessions.id = :session_id AND sessions.owner_id = :owner_id AND query_id = :query_id
    AND position >= (SELECT others.position FROM messages AS others WHERE others.id = :query_id)
    AND type IN ('query', 'response')
ORDER BY position LIMIT 2;
