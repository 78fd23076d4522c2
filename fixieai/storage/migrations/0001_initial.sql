CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    username TEXT NOT NULL UNIQUE,
    first_name TEXT,
    last_name TEXT,
    email TEXT,
    time_zone TEXT,
    created TEXT NOT NULL
);

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    created TEXT NOT NULL,
    revoked TEXT
);
CREATE INDEX api_keys_of_user ON api_keys (user_id, created);

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
    modified TEXT NOT NULL,
    UNIQUE (owner_id, handle)
);
CREATE INDEX agents_of_owner ON agents (owner_id, id);
CREATE INDEX agents_published ON agents (id) WHERE published = 1;

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
CREATE INDEX sessions_of_owner ON sessions (owner_id, id);

-- The id of a query is the id of the message that asked it. There is no index by session: it would
-- cost a page per query, and the messages of a session lead to its queries when it is deleted.
CREATE TABLE queries (
    id INTEGER PRIMARY KEY,
    session_id INTEGER NOT NULL,
    agent_id TEXT,
    status TEXT NOT NULL,
    created TEXT NOT NULL,
    finished TEXT,
    error_code TEXT
);
CREATE INDEX queries_running ON queries (id) WHERE status = 'running';

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
    created TEXT NOT NULL,
    UNIQUE (session_id, position)
);

CREATE TABLE user_storage (
    user_id INTEGER NOT NULL REFERENCES users (id),
    agent_id TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (user_id, agent_id, key)
);
