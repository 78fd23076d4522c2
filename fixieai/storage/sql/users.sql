-- name: insert
INSERT INTO users (id, username, created) VALUES (:id, :username, :now)
ON CONFLICT (username) DO NOTHING;

-- name: by_username
SELECT id, username, first_name, last_name, email, time_zone, created
FROM users WHERE username = :username;

-- name: by_id
SELECT id, username, first_name, last_name, email, time_zone, created
FROM users WHERE id = :id;
