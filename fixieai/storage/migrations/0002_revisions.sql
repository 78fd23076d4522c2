-- Users and organisations share one name space: both own agents.
ALTER TABLE users ADD COLUMN kind TEXT NOT NULL DEFAULT 'user';
ALTER TABLE users ADD COLUMN name TEXT;

CREATE TABLE organization_members (
    organization_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    created TEXT NOT NULL,
    PRIMARY KEY (organization_id, user_id)
);
CREATE INDEX organization_members_of_user ON organization_members (user_id, organization_id);

-- What a query needs of the current revision stands in the agent's row too: a query reads one row.
ALTER TABLE agents ADD COLUMN current_revision_id INTEGER;
ALTER TABLE agents ADD COLUMN environment TEXT;
ALTER TABLE agents ADD COLUMN package_hash TEXT;
ALTER TABLE agents ADD COLUMN query_url TEXT;
ALTER TABLE agents ADD COLUMN func_url TEXT;
ALTER TABLE agents ADD COLUMN refresh_status TEXT NOT NULL DEFAULT 'PENDING';

-- Handles that agents had before they were renamed.
CREATE TABLE agent_aliases (
    owner_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    handle TEXT NOT NULL,
    agent_id INTEGER NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    PRIMARY KEY (owner_id, handle)
);
CREATE INDEX agent_aliases_of_agent ON agent_aliases (agent_id);

CREATE TABLE revisions (
    id INTEGER PRIMARY KEY,
    agent_id INTEGER NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    url TEXT,
    environment TEXT,
    package_hash TEXT,
    status TEXT NOT NULL,
    problem TEXT,
    type TEXT NOT NULL,
    metadata TEXT NOT NULL,
    queries TEXT NOT NULL,
    labels TEXT NOT NULL,
    is_served INTEGER NOT NULL,
    former_revision_id INTEGER,
    lease_until INTEGER,
    created TEXT NOT NULL
);
CREATE INDEX revisions_of_agent ON revisions (agent_id, id);
CREATE UNIQUE INDEX revisions_served ON revisions (agent_id) WHERE is_served = 1;
CREATE INDEX revisions_leased ON revisions (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX revisions_pending ON revisions (id) WHERE status = 'pending';
CREATE INDEX revisions_of_package ON revisions (package_hash) WHERE package_hash IS NOT NULL;
CREATE INDEX agents_managed ON agents (id) WHERE environment IS NOT NULL;

-- Agents that run are served by their program: one revision each, of the agent's own number.
INSERT INTO revisions (
    id, agent_id, url, status, type, metadata, queries, labels, is_served, created
) SELECT id, id, url, 'ready', type, metadata, queries, '[]', 1, modified FROM agents WHERE url IS NOT NULL;
UPDATE agents SET current_revision_id = id, refresh_status = 'SUCCEEDED' WHERE url IS NOT NULL;
