-- name: insert
INSERT INTO embeds (id, session_id, key, sender, content_type, content_hash, size, uri, created)
SELECT :id, sessions.id, :key, :sender, :content_type, :content_hash, :size, :uri, :now
FROM sessions WHERE sessions.id = :session_id AND sessions.owner_id = :owner_id;

-- name: get
SELECT
    embeds.id, session_id, key, sender, content_type, content_hash, size, uri, embeds.created
FROM embeds JOIN sessions ON sessions.id = embeds.session_id
WHERE embeds.id = :id AND sessions.owner_id = :owner_id;

-- name: page
SELECT
    embeds.id, session_id, key, sender, content_type, content_hash, size, uri, embeds.created
FROM sessions JOIN embeds ON embeds.session_id = sessions.id
WHERE sessions.id = :session_id AND sessions.owner_id = :owner_id AND embeds.id > :after
ORDER BY embeds.id LIMIT :limit;

-- name: of_sessions
-- The newest few of each session, whatever else it holds.
SELECT
    embeds.id, session_id, key, sender, content_type, content_hash, size, uri, embeds.created
FROM sessions JOIN embeds ON embeds.session_id = sessions.id
WHERE
    sessions.id IN (:session_ids) AND sessions.owner_id = :owner_id
    AND embeds.id > coalesce((
        SELECT others.id FROM embeds AS others WHERE others.session_id = sessions.id
        ORDER BY others.id DESC LIMIT 1 OFFSET :each
    ), 0)
ORDER BY sessions.id, embeds.id LIMIT :limit;

-- name: named_by_person
SELECT
    embeds.id, session_id, key, sender, content_type, content_hash, size, uri, embeds.created
FROM sessions JOIN embeds ON embeds.session_id = sessions.id
WHERE sessions.id = :session_id AND sessions.owner_id = :owner_id AND key = :key AND sender = 'user'
ORDER BY embeds.id DESC LIMIT 1;

-- name: named
SELECT
    embeds.id, session_id, key, sender, content_type, content_hash, size, uri, embeds.created
FROM sessions JOIN embeds ON embeds.session_id = sessions.id
WHERE sessions.id = :session_id AND sessions.owner_id = :owner_id AND key = :key
ORDER BY embeds.id DESC LIMIT 1;

-- name: hold
INSERT INTO content_holds (embed_id, content_hash, until) VALUES (:embed_id, :content_hash, :until)
ON CONFLICT (embed_id) DO UPDATE SET until = :until;

-- name: let_go
UPDATE content_holds SET until = 0 WHERE embed_id = :embed_id;

-- name: end_hold
DELETE FROM content_holds WHERE embed_id = :embed_id;

-- name: abandon
INSERT INTO content_holds (embed_id, content_hash, until)
SELECT embeds.id, content_hash, 0
FROM sessions JOIN embeds ON embeds.session_id = sessions.id
WHERE sessions.id = :session_id AND sessions.owner_id = :owner_id AND content_hash IS NOT NULL
ON CONFLICT (embed_id) DO NOTHING;

-- name: unused
SELECT content_hash FROM content_holds WHERE until <= :now ORDER BY until LIMIT :limit;

-- name: end_holds
DELETE FROM content_holds WHERE content_hash = :content_hash AND until <= :now;

-- name: is_needed
SELECT 1 WHERE
    EXISTS (SELECT 1 FROM embeds WHERE content_hash = :content_hash)
    OR EXISTS (SELECT 1 FROM content_holds WHERE content_hash = :content_hash AND until > :now);
