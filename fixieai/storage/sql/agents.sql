-- name: insert
-- Whoever is removed gets none, and nobody is removed meanwhile.
INSERT INTO agents (
    id, owner_id, handle, name, description, more_info_url, type, status, metadata, queries, published,
    query_url, func_url, refresh_status, created, modified
)
SELECT
    :id, users.id, :handle, coalesce(:name, ''), coalesce(:description, ''), coalesce(:more_info_url, ''),
    'unknown', 'offline', '', '[]', coalesce(:published, 0),
    nullif(:query_url, ''), nullif(:func_url, ''), 'PENDING', :now, :now
FROM users WHERE users.id = :owner_id AND removed IS NULL /* Postgres: FOR SHARE */
ON CONFLICT (owner_id, handle) DO NOTHING;

-- name: update
UPDATE agents SET
    handle = coalesce(:new_handle, handle),
    name = coalesce(:name, name),
    description = coalesce(:description, description),
    more_info_url = coalesce(:more_info_url, more_info_url),
    published = coalesce(:published, published),
    query_url = nullif(coalesce(:query_url, query_url), ''),
    func_url = nullif(coalesce(:func_url, func_url), ''),
    modified = :now
WHERE id = :id AND owner_id = :owner_id;

-- name: by_id
SELECT
    agents.id, owner_id, username, users.kind, users.name, handle, agents.name, description, more_info_url,
    url, type, status, metadata, queries, published, current_revision_id, environment, package_hash,
    query_url, func_url, refresh_status, agents.created, modified, 1
FROM agents JOIN users ON users.id = agents.owner_id
WHERE agents.id = :id AND owner_id = :owner_id;

-- name: get
SELECT
    agents.id, owner_id, username, users.kind, users.name, handle, agents.name, description, more_info_url,
    url, type, status, metadata, queries, published, current_revision_id, environment, package_hash,
    query_url, func_url, refresh_status, agents.created, modified,
    CASE WHEN owner_id = :viewer_id OR EXISTS (
        SELECT 1 FROM organization_members WHERE organization_id = owner_id AND user_id = :viewer_id
    ) THEN 1 ELSE 0 END
FROM users JOIN agents ON agents.owner_id = users.id
WHERE username = :owner AND handle = :handle;

-- name: get_by_alias
SELECT
    agents.id, agents.owner_id, username, users.kind, users.name, agents.handle, agents.name, description,
    more_info_url, url, type, status, metadata, queries, published, current_revision_id, environment,
    package_hash, query_url, func_url, refresh_status, agents.created, modified,
    CASE WHEN agents.owner_id = :viewer_id OR EXISTS (
        SELECT 1 FROM organization_members WHERE organization_id = agents.owner_id AND user_id = :viewer_id
    ) THEN 1 ELSE 0 END
FROM users
JOIN agent_aliases ON agent_aliases.owner_id = users.id
JOIN agents ON agents.id = agent_aliases.agent_id
WHERE username = :owner AND agent_aliases.handle = :handle;

-- name: page
-- Three short walks along an index each, however many agents of others lie in between.
SELECT
    agents.id, owner_id, username, users.kind, users.name, handle, agents.name, description, more_info_url,
    url, type, status, metadata, queries, published, current_revision_id, environment, package_hash,
    query_url, func_url, refresh_status, agents.created, modified,
    CASE WHEN owner_id = :viewer_id OR EXISTS (
        SELECT 1 FROM organization_members WHERE organization_id = owner_id AND user_id = :viewer_id
    ) THEN 1 ELSE 0 END
FROM (
    SELECT id FROM (
        SELECT id FROM agents WHERE owner_id = :viewer_id AND id > :after ORDER BY id LIMIT :limit
    ) AS own
    UNION
    SELECT id FROM (
        SELECT id FROM agents WHERE published = 1 AND id > :after ORDER BY id LIMIT :limit
    ) AS published_ones
    UNION
    SELECT of_mine.id
    FROM organization_members
    JOIN agents AS of_mine ON of_mine.id IN (
        SELECT id FROM agents
        WHERE owner_id = organization_members.organization_id AND id > :after ORDER BY id LIMIT :limit
    )
    WHERE organization_members.user_id = :viewer_id
    ORDER BY 1 LIMIT :limit
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
    UNION
    SELECT of_mine.id
    FROM organization_members
    JOIN agents AS of_mine ON of_mine.id IN (
        SELECT id FROM agents
        WHERE owner_id = organization_members.organization_id ORDER BY id LIMIT :limit
    )
    WHERE organization_members.user_id = :viewer_id
    ORDER BY 1 LIMIT :limit
) AS seen
JOIN agents ON agents.id = seen.id
JOIN users ON users.id = agents.owner_id
ORDER BY agents.id;

-- name: delete
DELETE FROM agents WHERE id = :id AND owner_id = :owner_id;

-- name: set_unreachable
UPDATE agents SET status = 'unreachable', refresh_status = 'FAILED'
WHERE id = :id AND owner_id = :owner_id AND current_revision_id IS NOT NULL;

-- name: set_reachability
UPDATE agents SET status = :status
WHERE
    owner_id = (SELECT id FROM users WHERE username = :owner) AND handle = :handle AND url = :url
    AND status <> :status;

-- name: set_handshake
UPDATE agents SET
    type = :type, metadata = :metadata, queries = :queries, status = 'online', refresh_status = 'SUCCEEDED',
    modified = :now
WHERE id = :id AND owner_id = :owner_id;

-- name: lock
UPDATE agents SET modified = modified WHERE id = :id;

-- name: set_current
UPDATE agents SET
    current_revision_id = :revision_id, url = :url, environment = :environment, package_hash = :package_hash,
    status = :status, type = coalesce(:type, type), metadata = coalesce(:metadata, metadata),
    queries = coalesce(:queries, queries), refresh_status = coalesce(:refresh_status, refresh_status),
    modified = :now
WHERE id = :id AND owner_id = :owner_id;

-- name: add_alias
INSERT INTO agent_aliases (owner_id, handle, agent_id) VALUES (:owner_id, :handle, :id)
ON CONFLICT (owner_id, handle) DO UPDATE SET agent_id = :id;

-- name: drop_alias
DELETE FROM agent_aliases WHERE owner_id = :owner_id AND handle = :handle;

-- name: handle_is_taken
SELECT 1 FROM agents WHERE owner_id = :owner_id AND handle = :handle;
