BEGIN TRANSACTION;
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
INSERT INTO "agents" VALUES(3676696586954695581,3676696586953559480,'dice','Dice','I roll virtual dice.','','http://127.0.0.1:8181','code_shot','online','{"type": "code_shot", "base_prompt": "I roll virtual dice.", "few_shots": ["Q: Roll a d20\nA: 12"], "corpora": null, "conversational": false}','["Roll a d20"]',1,'2026-11-21T11:53:25.348985+00:00','2026-11-21T11:53:25.349430+00:00');
CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    created TEXT NOT NULL,
    revoked TEXT
);
INSERT INTO "api_keys" VALUES('3f786850e387550fdab836ed',3676696586953559480,'laptop','2026-11-21T11:53:25.348704+00:00',NULL);
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
INSERT INTO "messages" VALUES(3676696586956998646,3676696586956085057,3676696586956998646,1,'query','','user','Roll a d20','{}',NULL,'2026-11-21T11:53:25.350105+00:00');
INSERT INTO "messages" VALUES(3676696586958783174,3676696586956085057,3676696586956998646,2,'response','','ann/dice','12','{}','few-shot','2026-11-21T11:53:25.350978+00:00');
CREATE TABLE queries (
    id INTEGER PRIMARY KEY,
    session_id INTEGER NOT NULL,
    agent_id TEXT,
    status TEXT NOT NULL,
    created TEXT NOT NULL,
    finished TEXT,
    error_code TEXT
);
INSERT INTO "queries" VALUES(3676696586956998646,3676696586956085057,'ann/dice','answered','2026-11-21T11:53:25.350105+00:00','2026-11-21T11:53:25.350681+00:00',NULL);
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
CREATE TABLE user_storage (
    user_id INTEGER NOT NULL REFERENCES users (id),
    agent_id TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (user_id, agent_id, key)
);
INSERT INTO "user_storage" VALUES(3676696586953559480,'ann/dice','last','12');
CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    username TEXT NOT NULL UNIQUE,
    first_name TEXT,
    last_name TEXT,
    email TEXT,
    time_zone TEXT,
    created TEXT NOT NULL
);
INSERT INTO "users" VALUES(3676696586953559480,'ann',NULL,NULL,NULL,NULL,'2026-11-21T11:53:25.348437+00:00');
CREATE INDEX api_keys_of_user ON api_keys (user_id, created);
CREATE INDEX agents_of_owner ON agents (owner_id, id);
CREATE INDEX agents_published ON agents (id) WHERE published = 1;
CREATE INDEX sessions_of_owner ON sessions (owner_id, id);
CREATE INDEX queries_running ON queries (id) WHERE status = 'running';
COMMIT;
