-- name: insert
INSERT INTO authorizations (hash, user_id, redirect_uri, challenge, expires)
VALUES (:hash, :user_id, :redirect_uri, :challenge, :expires);

-- name: get
SELECT user_id, username, redirect_uri, challenge, expires
FROM authorizations JOIN users ON users.id = authorizations.user_id
WHERE hash = :hash AND removed IS NULL;

-- name: delete
DELETE FROM authorizations WHERE hash = :hash;

-- name: delete_old
DELETE FROM authorizations WHERE user_id = :user_id AND expires <= :seconds;
