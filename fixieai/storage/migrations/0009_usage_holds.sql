-- What model calls under way may use: of a person's day, for an agent. It is held back from the day's
-- limits as long as the platform that makes the call is listed in `executors`.
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
