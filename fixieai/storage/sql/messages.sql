-- name: append
-- The next position is one look at the end of an index: no counter that every message would write too.
INSERT INTO messages (
    id, session_id, query_id, position, type, name, sender, text, embeds, model, created
)
SELECT
    :id, sessions.id, :query_id,
    (SELECT coalesce(max(position), 0) + 1 FROM messages WHERE session_id = :session_id),
    :type, :name, :sender, :text, :embeds, :model, :now
FROM sessions WHERE sessions.id = :session_id AND sessions.owner_id = :owner_id
RETURNING position;

-- name: page
SELECT
    messages.id, session_id, query_id, position, type, messages.name, sender, text, embeds, model,
    messages.created
FROM sessions JOIN messages ON messages.session_id = sessions.id
WHERE sessions.id = :session_id AND sessions.owner_id = :owner_id AND position > :after
ORDER BY position LIMIT :limit;

-- name: window
SELECT
    messages.id, session_id, query_id, position, type, messages.name, sender, text, embeds, model,
    messages.created
FROM sessions JOIN messages ON messages.session_id = sessions.id
WHERE sessions.id = :session_id AND sessions.owner_id = :owner_id AND position < :before
ORDER BY position DESC LIMIT :limit;

-- name: with_embeds
SELECT
    messages.id, session_id, query_id, position, type, messages.name, sender, text, embeds, model,
    messages.created
FROM sessions JOIN messages ON messages.session_id = sessions.id
WHERE sessions.id = :session_id AND sessions.owner_id = :owner_id AND position > :after AND embeds <> '{}'
ORDER BY position LIMIT :limit;
