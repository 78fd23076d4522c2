-- name: count_query
INSERT INTO usage (user_id, day, agent_id, queries) VALUES (:user_id, :day, '', 1)
ON CONFLICT (user_id, day, agent_id) DO UPDATE SET queries = usage.queries + 1
WHERE usage.queries < :limit
RETURNING queries;

-- name: add_storage_calls
INSERT INTO usage (user_id, day, agent_id, storage_calls) VALUES (:user_id, :day, '', :calls)
ON CONFLICT (user_id, day, agent_id) DO UPDATE SET storage_calls = usage.storage_calls + excluded.storage_calls;

-- name: lock_day
INSERT INTO usage (user_id, day, agent_id) VALUES (:user_id, :day, '')
ON CONFLICT (user_id, day, agent_id) DO UPDATE SET storage_calls = usage.storage_calls
RETURNING storage_calls;

-- name: add_tokens
INSERT INTO usage (user_id, day, agent_id, prompt_tokens, completion_tokens, nanodollars)
VALUES (:user_id, :day, :agent_id, :prompt_tokens, :completion_tokens, :nanodollars)
ON CONFLICT (user_id, day, agent_id) DO UPDATE SET
    prompt_tokens = usage.prompt_tokens + excluded.prompt_tokens,
    completion_tokens = usage.completion_tokens + excluded.completion_tokens,
    nanodollars = usage.nanodollars + excluded.nanodollars;

-- name: spend
UPDATE queries SET tokens = tokens + :tokens WHERE id = :query_id RETURNING tokens;

-- name: spend_in_session
UPDATE queries SET tokens = tokens + :tokens WHERE status = 'running' AND session_id = (
    SELECT id FROM sessions WHERE owner_id = :user_id AND handle = :handle
);

-- name: of_query
SELECT tokens FROM queries JOIN sessions ON sessions.id = session_id
WHERE queries.id = :query_id AND owner_id = :user_id;

-- name: of_session
SELECT tokens FROM queries JOIN sessions ON sessions.id = session_id
WHERE owner_id = :user_id AND handle = :handle AND status = 'running';

-- name: of_day
SELECT agent_id, queries, storage_calls, prompt_tokens, completion_tokens, nanodollars
FROM usage WHERE user_id = :user_id AND day = :day ORDER BY agent_id;

-- name: forget_holds
-- Those of platforms that ended, and of former days.
DELETE FROM usage_holds WHERE user_id = :user_id
    AND (day < :day OR NOT EXISTS (SELECT 1 FROM executors WHERE executors.id = usage_holds.executor_id));

-- name: holds_of_day
SELECT id, executor_id, user_id, day, agent_id, tokens, nanodollars FROM usage_holds
WHERE user_id = :user_id AND day = :day;

-- name: hold
INSERT INTO usage_holds (id, executor_id, user_id, day, agent_id, tokens, nanodollars)
VALUES (:id, :executor_id, :user_id, :day, :agent_id, :tokens, :nanodollars);

-- name: release
DELETE FROM usage_holds WHERE user_id = :user_id AND id = :id;
