-- name: make_nobody
INSERT INTO users (id, username, kind, removed, created) VALUES (0, '', 'nobody', :now, :now)
ON CONFLICT (username) DO NOTHING;

-- name: idle_sessions
-- Ids grow with time: no session that was created since then is looked at.
SELECT id FROM sessions
WHERE id > :after AND id < :first_kept_id AND modified < :until AND owner_id <> 0
    AND NOT EXISTS (SELECT 1 FROM queries WHERE queries.session_id = sessions.id AND status = 'running')
ORDER BY id LIMIT :limit;

-- name: give_to_nobody
-- All that makes it idle is asked again: a query may have begun meanwhile.
UPDATE sessions SET owner_id = 0, handle = :handle
WHERE id = :id AND modified < :until AND owner_id <> 0
    AND NOT EXISTS (SELECT 1 FROM queries WHERE queries.session_id = sessions.id AND status = 'running');

-- name: nobodys_session
-- One process at a time removes of a session: what its statements find first is the same for all of them.
SELECT id FROM sessions WHERE owner_id = 0 ORDER BY id LIMIT 1 /* Postgres: FOR NO KEY UPDATE */;

-- name: lock_session
SELECT id FROM sessions WHERE id = :session_id /* Postgres: FOR NO KEY UPDATE */;

-- name: remove_first_queries
DELETE FROM queries WHERE id IN (
    SELECT query_id FROM messages WHERE session_id = :session_id ORDER BY position LIMIT :limit
);

-- name: remove_first_messages
DELETE FROM messages WHERE id IN (
    SELECT id FROM messages WHERE session_id = :session_id ORDER BY position LIMIT :limit
);

-- name: abandon_first_embeds
INSERT INTO content_holds (embed_id, content_hash, until)
SELECT id, content_hash, 0 FROM embeds
WHERE content_hash IS NOT NULL AND id IN (
    SELECT id FROM embeds WHERE session_id = :session_id ORDER BY id LIMIT :limit
)
ON CONFLICT (embed_id) DO NOTHING;

-- name: remove_first_embeds
DELETE FROM embeds WHERE id IN (
    SELECT id FROM embeds WHERE session_id = :session_id ORDER BY id LIMIT :limit
);

-- name: remove_empty_session
DELETE FROM sessions WHERE id = :session_id AND owner_id = 0
    AND NOT EXISTS (SELECT 1 FROM messages WHERE messages.session_id = sessions.id)
    AND NOT EXISTS (SELECT 1 FROM embeds WHERE embeds.session_id = sessions.id);

-- name: count_messages
SELECT count(*) FROM messages WHERE session_id IN (:session_ids);

-- name: count_embeds
SELECT count(*), coalesce(sum(size), 0) FROM embeds WHERE session_id IN (:session_ids);

-- name: next_old_query
SELECT id, session_id FROM queries WHERE id > :after AND id < :first_kept_id ORDER BY id LIMIT 1;

-- name: newest_query
SELECT query_id FROM messages WHERE session_id = :session_id ORDER BY position DESC LIMIT 1;

-- name: oldest_query
SELECT query_id FROM messages WHERE session_id = :session_id ORDER BY position LIMIT 1;

-- name: trim
-- The lines of a query stand together, and the oldest come first: what is left has no gaps.
DELETE FROM messages WHERE id IN (
    SELECT id FROM (
        SELECT id, query_id FROM messages WHERE session_id = :session_id ORDER BY position LIMIT :limit
    ) AS oldest
    WHERE query_id < :first_kept_id AND query_id <> :newest_query_id
)
RETURNING query_id;

-- name: remove_query
DELETE FROM queries WHERE id = :query_id AND status <> 'running';

-- name: count_old_messages
SELECT count(*), max(id), coalesce(sum(CASE WHEN query_id <> (
    SELECT newest.query_id FROM messages AS newest
    WHERE newest.session_id = slice.session_id ORDER BY newest.position DESC LIMIT 1
) THEN 1 ELSE 0 END), 0)
FROM (
    SELECT id, session_id, query_id FROM messages
    WHERE id > :after AND id < :first_kept_id ORDER BY id LIMIT :limit
) AS slice;

-- name: next_user_of_usage
SELECT min(user_id) FROM usage WHERE user_id > :after;

-- name: remove_usage
DELETE FROM usage WHERE user_id = :user_id AND (day, agent_id) IN (
    SELECT day, agent_id FROM usage WHERE user_id = :user_id AND day < :first_kept_day ORDER BY day LIMIT :limit
);

-- name: count_usage
SELECT count(*) FROM usage WHERE day < :first_kept_day;

-- name: remove_authorizations
DELETE FROM authorizations WHERE hash IN (
    SELECT hash FROM authorizations WHERE expires < :seconds LIMIT :limit
);

-- name: count_authorizations
SELECT count(*) FROM authorizations WHERE expires < :seconds;

-- name: remove_browser_codes
DELETE FROM browser_codes WHERE hash IN (
    SELECT hash FROM browser_codes WHERE expires < :seconds LIMIT :limit
);

-- name: count_browser_codes
SELECT count(*) FROM browser_codes WHERE expires < :seconds;

-- name: remove_attempts
DELETE FROM sign_in_attempts WHERE name_hash IN (
    SELECT name_hash FROM sign_in_attempts WHERE last < :milliseconds LIMIT :limit
);

-- name: count_attempts
SELECT count(*) FROM sign_in_attempts WHERE last < :milliseconds;

-- name: remove_removals
DELETE FROM content_removals WHERE content IN (
    SELECT content FROM content_removals WHERE until < :seconds LIMIT :limit
);

-- name: count_removals
SELECT count(*) FROM content_removals WHERE until < :seconds;

-- name: remove_invitations
DELETE FROM invitations WHERE user_id IN (
    SELECT user_id FROM invitations WHERE expires < :seconds LIMIT :limit
);

-- name: count_invitations
SELECT count(*) FROM invitations WHERE expires < :seconds;

-- name: remove_flows
DELETE FROM oauth_flows WHERE state_hash IN (
    SELECT state_hash FROM oauth_flows WHERE expires < :seconds LIMIT :limit
);

-- name: count_flows
SELECT count(*) FROM oauth_flows WHERE expires < :seconds;

-- name: remove_keys
DELETE FROM api_keys WHERE id IN (
    SELECT id FROM api_keys WHERE expires < :seconds OR revoked < :until LIMIT :limit
);

-- name: count_keys
SELECT count(*) FROM api_keys WHERE expires < :seconds OR revoked < :until;

-- name: old_revisions
-- Code that nobody can ask any more, but for what a program that serves the agent would leave behind.
SELECT revisions.id, revisions.package_hash
FROM revisions JOIN agents ON agents.id = revisions.agent_id
WHERE revisions.id > :after AND is_served = 0 AND coalesce(current_revision_id, 0) <> revisions.id
    AND (
        (revisions.status = 'failed' AND revisions.id < :first_kept_failure)
        OR (revisions.status = 'ready' AND revisions.id < :first_kept_id)
    )
    AND NOT EXISTS (
        SELECT 1 FROM revisions AS served
        WHERE served.agent_id = agents.id AND served.is_served = 1 AND served.former_revision_id = revisions.id
    )
ORDER BY revisions.id LIMIT :limit;

-- name: lock_agent
-- Whoever makes another revision current has done so, or waits.
SELECT agents.id FROM agents JOIN revisions ON revisions.agent_id = agents.id
WHERE revisions.id = :id /* Postgres: FOR NO KEY UPDATE OF agents */;

-- name: remove_revision
DELETE FROM revisions WHERE id = :id AND is_served = 0 AND NOT EXISTS (
    SELECT 1 FROM agents WHERE agents.id = revisions.agent_id AND current_revision_id = revisions.id
);

-- name: used_by_embeds
SELECT content_hash FROM embeds WHERE content_hash IN (:hashes)
UNION SELECT content_hash FROM content_holds WHERE content_hash IN (:hashes) AND until > :now;

-- name: used_by_revisions
SELECT package_hash FROM revisions WHERE package_hash IN (:hashes)
UNION SELECT package_hash FROM package_holds WHERE package_hash IN (:hashes) AND until > :now;
