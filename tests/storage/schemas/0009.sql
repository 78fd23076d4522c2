BEGIN TRANSACTION;
CREATE TABLE agent_aliases (
    owner_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    handle TEXT NOT NULL,
    agent_id INTEGER NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    PRIMARY KEY (owner_id, handle)
);
INSERT INTO "agent_aliases" VALUES(3676696586953559480,'d20',3676696586954695581);
CREATE TABLE agents (
    id INTEGER PRIMARY KEY,
    owner_id INTEGER NOT NULL REFERENCES users (id),
    handle TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    more_info_url TEXT NOT NULL,
    url TEXT,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    metadata TEXT NOT NULL,
    queries TEXT NOT NULL,
    published INTEGER NOT NULL,
    created TEXT NOT NULL,
    modified TEXT NOT NULL, current_revision_id INTEGER, environment TEXT, package_hash TEXT, query_url TEXT, func_url TEXT, refresh_status TEXT NOT NULL DEFAULT 'PENDING',
    UNIQUE (owner_id, handle)
);
INSERT INTO "agents" VALUES(3676696586954695581,3676696586953559480,'dice','Dice','I roll virtual dice.','','http://127.0.0.1:8181','code_shot','online','{"type": "code_shot", "base_prompt": "I roll virtual dice.", "few_shots": ["Q: Roll a d20\nA: 12"], "corpora": null, "conversational": false}','["Roll a d20"]',1,'2026-11-21T11:53:25.348985+00:00','2026-11-21T14:35:16.809862+00:00',3676696586954695581,NULL,NULL,NULL,NULL,'SUCCEEDED');
CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    created TEXT NOT NULL,
    revoked TEXT
, expires INTEGER);
INSERT INTO "api_keys" VALUES('3f786850e387550fdab836ed',3676696586953559480,'laptop','2026-11-21T11:53:25.348704+00:00',NULL,NULL);
CREATE TABLE authorizations (
    hash TEXT PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id),
    redirect_uri TEXT NOT NULL,
    challenge TEXT,
    expires INTEGER NOT NULL
);
CREATE TABLE browser_codes (
    hash TEXT PRIMARY KEY,
    username TEXT NOT NULL,
    key_id TEXT NOT NULL,
    expires INTEGER NOT NULL
);
INSERT INTO "browser_codes" VALUES('h','ann','key-1',1800000000);
CREATE TABLE content_holds (
    embed_id INTEGER PRIMARY KEY,
    content_hash TEXT NOT NULL,
    until INTEGER NOT NULL
);
CREATE TABLE content_removals (
    content TEXT PRIMARY KEY,
    until INTEGER NOT NULL
);
CREATE TABLE embeds (
    id INTEGER PRIMARY KEY,
    session_id INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    sender TEXT NOT NULL,
    content_type TEXT NOT NULL,
    content_hash TEXT,
    size INTEGER,
    uri TEXT,
    created TEXT NOT NULL
);
CREATE TABLE executors (
    id TEXT PRIMARY KEY,
    beat INTEGER NOT NULL,
    started TEXT NOT NULL
);
INSERT INTO "executors" VALUES('e1',3,'2026-11-21T12:00:00.000000+00:00');
CREATE TABLE invitations (
    user_id INTEGER PRIMARY KEY REFERENCES users (id),
    hash TEXT NOT NULL UNIQUE,
    expires INTEGER NOT NULL
);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    session_id INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    query_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    type TEXT NOT NULL,
    name TEXT NOT NULL,
    sender TEXT,
    text TEXT NOT NULL,
    embeds TEXT NOT NULL,
    model TEXT,
    created TEXT NOT NULL, depth INTEGER NOT NULL DEFAULT 0,
    UNIQUE (session_id, position)
);
INSERT INTO "messages" VALUES(3676696586956998646,3676696586956085057,3676696586956998646,1,'query','','user','Roll a d20','{}',NULL,'2026-11-21T11:53:25.350105+00:00',0);
INSERT INTO "messages" VALUES(3676696586958783174,3676696586956085057,3676696586956998646,2,'response','','ann/dice','12','{}','few-shot','2026-11-21T11:53:25.350978+00:00',0);
CREATE TABLE oauth_flows (
    user_id INTEGER NOT NULL REFERENCES users (id),
    agent_id TEXT NOT NULL,
    state_hash TEXT NOT NULL UNIQUE,
    expires INTEGER NOT NULL,
    PRIMARY KEY (user_id, agent_id)
);
INSERT INTO "oauth_flows" VALUES(3676696586953559480,'ann/dice','hash',4102444800);
CREATE TABLE oauth_values (
    user_id INTEGER NOT NULL REFERENCES users (id),
    agent_id TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (user_id, agent_id, key)
);
INSERT INTO "oauth_values" VALUES(3676696586953559480,'ann/dice','_oauth_token','1.sealed');
CREATE TABLE organization_members (
    organization_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    created TEXT NOT NULL,
    PRIMARY KEY (organization_id, user_id)
);
INSERT INTO "organization_members" VALUES(3676716476011939565,3676696586953559480,'owner','2026-11-21T14:35:16.802670+00:00');
CREATE TABLE package_holds (
    id INTEGER PRIMARY KEY,
    package_hash TEXT NOT NULL,
    until INTEGER NOT NULL
);
CREATE TABLE passwords (
    user_id INTEGER PRIMARY KEY REFERENCES users (id),
    hash TEXT NOT NULL,
    modified TEXT NOT NULL
);
CREATE TABLE queries (
    id INTEGER PRIMARY KEY,
    session_id INTEGER NOT NULL,
    agent_id TEXT,
    status TEXT NOT NULL,
    created TEXT NOT NULL,
    finished TEXT,
    error_code TEXT
, executor_id TEXT, attempts INTEGER NOT NULL DEFAULT 0, is_cancelled INTEGER NOT NULL DEFAULT 0, tokens INTEGER NOT NULL DEFAULT 0);
INSERT INTO "queries" VALUES(3676696586956998646,3676696586956085057,'ann/dice','answered','2026-11-21T11:53:25.350105+00:00','2026-11-21T11:53:25.350681+00:00',NULL,NULL,0,0,0);
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
, executor_id TEXT);
INSERT INTO "revisions" VALUES(3676696586954695581,3676696586954695581,'http://127.0.0.1:8181',NULL,NULL,'ready',NULL,'code_shot','{"type": "code_shot", "base_prompt": "I roll virtual dice.", "few_shots": ["Q: Roll a d20\nA: 12"], "corpora": null, "conversational": false}','["Roll a d20"]','[]',1,NULL,NULL,'2026-11-21T11:53:25.349430+00:00',NULL);
INSERT INTO "revisions" VALUES(3676716476028585416,3676696586954695581,NULL,'PYTHON','abababababababababababababababababababababababababababababababab','ready',NULL,'standalone','{"type": "standalone", "sample_queries": ["Roll"]}','["Roll"]','[["fixie.ai/client", "python-cli"]]',0,NULL,NULL,'2026-11-21T14:35:16.810859+00:00',NULL);
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    owner_id INTEGER NOT NULL REFERENCES users (id),
    handle TEXT NOT NULL,
    name TEXT,
    frontend_agent_id TEXT,
    created TEXT NOT NULL,
    modified TEXT NOT NULL,
    UNIQUE (owner_id, handle)
);
INSERT INTO "sessions" VALUES(3676696586956085057,3676696586953559480,'stormy-luxuriant-ferryboat','Roll a d20','ann/dice','2026-11-21T11:53:25.349645+00:00','2026-11-21T11:53:25.349924+00:00');
CREATE TABLE shared_facts (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
CREATE TABLE sign_in_attempts (
    name_hash TEXT PRIMARY KEY,
    made INTEGER NOT NULL,
    last INTEGER NOT NULL
);
CREATE TABLE signing_keys (
    kid TEXT PRIMARY KEY,
    sealed TEXT NOT NULL,
    signs_from INTEGER NOT NULL
);
INSERT INTO "signing_keys" VALUES('k1','1.sealed',0);
CREATE TABLE usage (
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    day TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    queries INTEGER NOT NULL DEFAULT 0,
    storage_calls INTEGER NOT NULL DEFAULT 0,
    prompt_tokens INTEGER NOT NULL DEFAULT 0,
    completion_tokens INTEGER NOT NULL DEFAULT 0,
    nanodollars INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, day, agent_id)
);
CREATE TABLE usage_holds (
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    executor_id TEXT NOT NULL,
    day TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    tokens INTEGER NOT NULL,
    nanodollars INTEGER NOT NULL,
    PRIMARY KEY (user_id, id)
);
INSERT INTO "usage_holds" VALUES(3676696586953559480,'0123456789abcdef','executor','2026-11-21','ann/dice',1200,0);
CREATE TABLE user_storage (
    user_id INTEGER NOT NULL REFERENCES users (id),
    agent_id TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL, size INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, agent_id, key)
);
INSERT INTO "user_storage" VALUES(3676696586953559480,'ann/dice','last','12',6);
CREATE TABLE user_storage_usage (
    user_id INTEGER NOT NULL REFERENCES users (id),
    agent_id TEXT NOT NULL,
    keys INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (user_id, agent_id)
);
INSERT INTO "user_storage_usage" VALUES(3676696586953559480,'ann/dice',1,6);
CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    username TEXT NOT NULL UNIQUE,
    first_name TEXT,
    last_name TEXT,
    email TEXT,
    time_zone TEXT,
    created TEXT NOT NULL
, kind TEXT NOT NULL DEFAULT 'user', name TEXT, is_administrator INTEGER NOT NULL DEFAULT 0, removed TEXT);
INSERT INTO "users" VALUES(3676696586953559480,'ann',NULL,NULL,NULL,NULL,'2026-11-21T11:53:25.348437+00:00','user',NULL,0,NULL);
INSERT INTO "users" VALUES(3676716476011939565,'acme',NULL,NULL,NULL,NULL,'2026-11-21T14:35:16.802670+00:00','organization','Acme Inc.',0,NULL);
CREATE INDEX api_keys_of_user ON api_keys (user_id, created);
CREATE INDEX agents_of_owner ON agents (owner_id, id);
CREATE INDEX agents_published ON agents (id) WHERE published = 1;
CREATE INDEX sessions_of_owner ON sessions (owner_id, id);
CREATE INDEX organization_members_of_user ON organization_members (user_id, organization_id);
CREATE INDEX agent_aliases_of_agent ON agent_aliases (agent_id);
CREATE INDEX revisions_of_agent ON revisions (agent_id, id);
CREATE UNIQUE INDEX revisions_served ON revisions (agent_id) WHERE is_served = 1;
CREATE INDEX revisions_leased ON revisions (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX revisions_pending ON revisions (id) WHERE status = 'pending';
CREATE INDEX revisions_of_package ON revisions (package_hash) WHERE package_hash IS NOT NULL;
CREATE INDEX agents_managed ON agents (id) WHERE environment IS NOT NULL;
CREATE INDEX authorizations_of_user ON authorizations (user_id);
CREATE INDEX embeds_of_session ON embeds (session_id, id);
CREATE INDEX embeds_by_key ON embeds (session_id, key, id);
CREATE INDEX embeds_of_content ON embeds (content_hash);
CREATE INDEX content_holds_of_content ON content_holds (content_hash);
CREATE INDEX content_holds_by_end ON content_holds (until);
CREATE INDEX user_storage_usage_of_agent ON user_storage_usage (agent_id);
CREATE INDEX oauth_values_of_agent ON oauth_values (agent_id);
CREATE INDEX oauth_flows_by_end ON oauth_flows (expires);
CREATE UNIQUE INDEX queries_running ON queries (session_id) WHERE status = 'running';
CREATE INDEX browser_codes_of_key ON browser_codes (key_id, expires);
CREATE INDEX browser_codes_by_end ON browser_codes (expires);
CREATE INDEX sign_in_attempts_by_time ON sign_in_attempts (last);
CREATE INDEX package_holds_of_package ON package_holds (package_hash);
CREATE INDEX package_holds_by_end ON package_holds (until);
COMMIT;
