-- name: put
INSERT INTO embeds (id, session_id, key, content_type, uri, created)
SELECT :id, sessions.id, :key, :content_type, :uri, :now
FROM sessions WHERE sessions.id = :session_id AND sessions.owner_id = :owner_id
ON CONFLICT (session_id, key) DO UPDATE SET content_type = excluded.content_type, uri = excluded.uri
RETURNING id, key, content_type, created;

-- name: of_session
SELECT embeds.id, key, content_type, embeds.created
FROM sessions JOIN embeds ON embeds.session_id = sessions.id
WHERE sessions.id = :session_id AND sessions.owner_id = :owner_id ORDER BY embeds.id;

-- name: content
SELECT content_type, uri FROM embeds JOIN sessions ON sessions.id = embeds.session_id
WHERE embeds.id = :id AND sessions.owner_id = :owner_id;
