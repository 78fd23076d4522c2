-- A process that runs queries. It counts its beats; whose count stands still is taken for dead.
CREATE TABLE executors (
    id TEXT PRIMARY KEY,
    beat INTEGER NOT NULL,
    started TEXT NOT NULL
);

-- How deep below the agent that was asked first the author of a line is.
ALTER TABLE messages ADD COLUMN depth INTEGER NOT NULL DEFAULT 0;

-- Who runs the query: only that executor may add to it. `attempts` counts how often it was gone on with.
ALTER TABLE queries ADD COLUMN executor_id TEXT;
ALTER TABLE queries ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queries ADD COLUMN is_cancelled INTEGER NOT NULL DEFAULT 0;

-- One query at a time per session, also where several processes serve it.
DROP INDEX queries_running;
CREATE UNIQUE INDEX queries_running ON queries (session_id) WHERE status = 'running';
