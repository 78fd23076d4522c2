-- name: put
INSERT INTO invitations (user_id, hash, expires) VALUES (:user_id, :hash, :expires)
ON CONFLICT (user_id) DO UPDATE SET hash = :hash, expires = :expires;

-- name: user
SELECT users.id, username, first_name, last_name, email, time_zone, created, is_administrator
FROM invitations JOIN users ON users.id = invitations.user_id
WHERE hash = :hash AND expires > :seconds AND removed IS NULL;

-- name: delete
DELETE FROM invitations WHERE hash = :hash;
