-- name: insert
INSERT INTO users (id, username, is_administrator, created) VALUES (:id, :username, :is_administrator, :now)
ON CONFLICT (username) DO NOTHING;

-- name: create
INSERT INTO users (id, username, first_name, last_name, email, is_administrator, created)
VALUES (:id, :username, :first_name, :last_name, :email, :is_administrator, :now);

-- name: by_username
SELECT id, username, first_name, last_name, email, time_zone, created, is_administrator
FROM users WHERE username = :username AND removed IS NULL;

-- name: by_id
SELECT id, username, first_name, last_name, email, time_zone, created, is_administrator
FROM users WHERE id = :id AND removed IS NULL;

-- name: is_taken
SELECT 1 FROM users WHERE username = :username;

-- name: page
SELECT
    id, username, first_name, last_name, email, time_zone, created, is_administrator,
    passwords.user_id IS NOT NULL, invitations.expires
FROM users
LEFT JOIN passwords ON passwords.user_id = users.id
LEFT JOIN invitations ON invitations.user_id = users.id
WHERE id > :after AND kind = 'user' AND removed IS NULL
ORDER BY id LIMIT :limit;

-- name: account
SELECT
    id, username, first_name, last_name, email, time_zone, created, is_administrator,
    passwords.user_id IS NOT NULL, invitations.expires
FROM users
LEFT JOIN passwords ON passwords.user_id = users.id
LEFT JOIN invitations ON invitations.user_id = users.id
WHERE username = :username AND kind = 'user' AND removed IS NULL;

-- name: another
-- Ends at the first one found, or at the last organisation.
SELECT 1 FROM users WHERE id > 0 AND username <> :username AND kind = 'user' AND removed IS NULL LIMIT 1;

-- name: remove
UPDATE users SET removed = :now, first_name = NULL, last_name = NULL, email = NULL, time_zone = NULL
WHERE id = :id AND removed IS NULL;

-- name: erase_api_keys
DELETE FROM api_keys WHERE user_id = :id;

-- name: erase_password
DELETE FROM passwords WHERE user_id = :id;

-- name: erase_invitation
DELETE FROM invitations WHERE user_id = :id;

-- name: erase_authorizations
DELETE FROM authorizations WHERE user_id = :id;

-- name: erase_user_storage
DELETE FROM user_storage WHERE user_id = :id;

-- name: erase_user_storage_usage
DELETE FROM user_storage_usage WHERE user_id = :id;

-- name: erase_oauth_values
DELETE FROM oauth_values WHERE user_id = :id;

-- name: erase_oauth_flows
DELETE FROM oauth_flows WHERE user_id = :id;

-- name: erase_memberships
DELETE FROM organization_members WHERE user_id = :id;

-- name: erase_usage
DELETE FROM usage WHERE user_id = :id;

-- name: erase_usage_holds
DELETE FROM usage_holds WHERE user_id = :id;
