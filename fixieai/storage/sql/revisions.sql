-- name: insert
INSERT INTO revisions (
    id, agent_id, url, environment, package_hash, status, type, metadata, queries, labels, is_served,
    former_revision_id, lease_until, created, executor_id
) VALUES (
    :id, :agent_id, :url, :environment, :package_hash, :status, :type, :metadata, :queries, :labels, :is_served,
    :former_revision_id, :lease_until, :now, :executor_id
);

-- name: get
SELECT
    revisions.id, agent_id, revisions.url, revisions.environment, revisions.package_hash, revisions.status,
    problem, revisions.type, revisions.queries, labels, is_served, former_revision_id,
    revisions.created, CASE WHEN current_revision_id = revisions.id THEN 1 ELSE 0 END
FROM revisions JOIN agents ON agents.id = agent_id
WHERE revisions.id = :id AND agent_id = :agent_id AND owner_id = :owner_id;

-- name: served
SELECT
    revisions.id, agent_id, revisions.url, revisions.environment, revisions.package_hash, revisions.status,
    problem, revisions.type, revisions.queries, labels, is_served, former_revision_id,
    revisions.created, CASE WHEN current_revision_id = revisions.id THEN 1 ELSE 0 END
FROM revisions JOIN agents ON agents.id = agent_id
WHERE agent_id = :agent_id AND is_served = 1 AND owner_id = :owner_id;

-- name: page
SELECT
    revisions.id, agent_id, revisions.url, revisions.environment, revisions.package_hash, revisions.status,
    problem, revisions.type, revisions.queries, labels, is_served, former_revision_id,
    revisions.created, CASE WHEN current_revision_id = revisions.id THEN 1 ELSE 0 END
FROM revisions JOIN agents ON agents.id = agent_id
WHERE agent_id = :agent_id AND owner_id = :owner_id AND revisions.id < :before
ORDER BY revisions.id DESC LIMIT :limit;

-- name: newest_of_agents
-- The newest :limit of each agent that the viewer may change.
SELECT
    revisions.id, revisions.agent_id, revisions.url, revisions.environment, revisions.package_hash,
    revisions.status, problem, revisions.type, revisions.queries, labels, is_served, former_revision_id,
    revisions.created, CASE WHEN current_revision_id = revisions.id THEN 1 ELSE 0 END
FROM agents
JOIN revisions ON revisions.id IN (
    SELECT id FROM revisions AS newest WHERE newest.agent_id = agents.id ORDER BY id DESC LIMIT :limit
)
WHERE agents.id IN (:agent_ids) AND (owner_id = :viewer_id OR EXISTS (
    SELECT 1 FROM organization_members WHERE organization_id = owner_id AND user_id = :viewer_id
));

-- name: current_of_agents
SELECT
    revisions.id, agent_id, revisions.url, revisions.environment, revisions.package_hash, revisions.status,
    problem, revisions.type, revisions.queries, labels, is_served, former_revision_id,
    revisions.created, 1
FROM agents JOIN revisions ON revisions.id = current_revision_id
WHERE agents.id IN (:agent_ids) AND (owner_id = :viewer_id OR EXISTS (
    SELECT 1 FROM organization_members WHERE organization_id = owner_id AND user_id = :viewer_id
));

-- name: said
SELECT type, metadata, queries FROM revisions WHERE id = :id AND agent_id = :agent_id;

-- name: end_deployment
UPDATE revisions SET
    status = :status, problem = :problem, type = coalesce(:type, type),
    metadata = coalesce(:metadata, metadata), queries = coalesce(:queries, queries)
WHERE id = :id AND agent_id = :agent_id AND status = 'pending';

-- name: set_handshake
UPDATE revisions SET type = :type, metadata = :metadata, queries = :queries
WHERE id = :id AND agent_id = :agent_id;

-- name: update_served
UPDATE revisions SET
    url = :url, lease_until = :lease_until, former_revision_id = :former_revision_id,
    type = :type, metadata = :metadata, queries = :queries
WHERE id = :id AND agent_id = :agent_id;

-- name: set_former
UPDATE revisions SET former_revision_id = :former_id WHERE id = :id AND agent_id = :agent_id;

-- name: renew
UPDATE revisions SET lease_until = :lease_until
WHERE agent_id = :agent_id AND is_served = 1 AND url = :url;

-- name: delete
DELETE FROM revisions WHERE id = :id AND agent_id = :agent_id;

-- name: delete_expired
DELETE FROM revisions WHERE id = :id AND agent_id = :agent_id AND lease_until <= :now;

-- name: expired
SELECT owner_id, agents.id
FROM revisions JOIN agents ON agents.id = agent_id
WHERE lease_until <= :now ORDER BY lease_until LIMIT :limit;

-- name: next_expiry
SELECT min(lease_until) FROM revisions WHERE lease_until IS NOT NULL;

-- name: extend_leases
UPDATE revisions SET lease_until = :until WHERE lease_until < :until;

-- name: take_pending
UPDATE revisions SET executor_id = :executor_id
WHERE status = 'pending' AND coalesce(executor_id, '') NOT IN (SELECT id FROM executors)
RETURNING id;

-- name: owner
SELECT owner_id, agents.id FROM revisions JOIN agents ON agents.id = agent_id WHERE revisions.id = :id;

-- name: current_among
SELECT revisions.id, owner_id, agents.id
FROM revisions JOIN agents ON agents.id = agent_id
WHERE revisions.id IN (:revision_ids) AND current_revision_id = revisions.id;

-- name: managed
SELECT owner_id, id FROM agents WHERE environment IS NOT NULL AND id > :after ORDER BY id LIMIT :limit;

-- name: packages
SELECT DISTINCT package_hash FROM revisions WHERE agent_id = :agent_id AND package_hash IS NOT NULL;
