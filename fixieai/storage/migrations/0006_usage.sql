-- What a person used on a day (UTC). The row without an agent holds what is counted whatever agent
-- was asked; the others hold what an agent's model calls cost on the person's behalf.
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
