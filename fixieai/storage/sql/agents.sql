-- name: upsert
INSERT INTO agents (
    id, owner_id, handle, name, description, more_info_url, url, type, status,
    metadata, queries, published, created, modified
) VALUES (
    :id, :owner_id, :handle, coalesce(:name, ''), coalesce(:description, ''), coalesce(:more_info_url, ''),
    :url, 'unknown', :status, '', '[]', coalesce(:published, 0), :now, :now
)
ON CONFLICT (owner_id, handle) DO UPDATE SET
    name = coalesce(:name, agents.name),
    description = coalesce(:description, agents.description),
    more_info_url = coalesce(:more_info_url, agents.more_info_url),
    url = CASE WHEN :sets_url = 1 THEN :url ELSE agents.url END,
    status = CASE WHEN :sets_url = 1 THEN :status ELSE agents.status END,
    published = coalesce(:published, agents.published),
    modified = :now;

-- name: own
SELECT
    agents.id, username, handle, name, description, more_info_url, url, type, status,
    metadata, queries, published, agents.created, modified
FROM agents JOIN users ON users.id = agents.owner_id
WHERE owner_id = :owner_id AND handle = :handle;

-- name: get
SELECT
    agents.id, username, handle, name, description, more_info_url, url, type, status,
    metadata, queries, published, agents.created, modified
FROM users JOIN agents ON agents.owner_id = users.id
WHERE username = :owner AND handle = :handle AND (owner_id = :viewer_id OR published = 1);

-- name: page
-- Two short walks along an index each, however many agents of others lie in between.
SELECT
    agents.id, username, handle, name, description, more_info_url, url, type, status,
    metadata, queries, published, agents.created, modified
FROM (
    SELECT id FROM (
        SELECT id FROM agents WHERE owner_id = :viewer_id AND id > :after ORDER BY id LIMIT :limit
    ) AS own
    UNION
    SELECT id FROM (
        SELECT id FROM agents WHERE published = 1 AND id > :after ORDER BY id LIMIT :limit
    ) AS published_ones
    ORDER BY id LIMIT :limit
) AS seen
JOIN agents ON agents.id = seen.id
JOIN users ON users.id = agents.owner_id
ORDER BY agents.id;

-- name: samples
-- The same agents as `page`, without what they say of themselves at length.
SELECT username, handle, queries
FROM (
    SELECT id FROM (
        SELECT id FROM agents WHERE owner_id = :viewer_id ORDER BY id LIMIT :limit
    ) AS own
    UNION
    SELECT id FROM (
        SELECT id FROM agents WHERE published = 1 ORDER BY id LIMIT :limit
    ) AS published_ones
    ORDER BY id LIMIT :limit
) AS seen
JOIN agents ON agents.id = seen.id
JOIN users ON users.id = agents.owner_id
ORDER BY agents.id;

-- name: delete
DELETE FROM agents WHERE owner_id = :owner_id AND handle = :handle;

-- name: set_status
UPDATE agents SET status = :status WHERE owner_id = :owner_id AND handle = :handle;

-- name: set_handshake
UPDATE agents SET type = :type, metadata = :metadata, queries = :queries, status = 'online', modified = :now
WHERE owner_id = :owner_id AND handle = :handle;
