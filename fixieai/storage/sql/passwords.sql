-- name: put
INSERT INTO passwords (user_id, hash, modified) VALUES (:user_id, :hash, :now)
ON CONFLICT (user_id) DO UPDATE SET hash = :hash, modified = :now;

-- name: of_user
SELECT hash FROM passwords JOIN users ON users.id = passwords.user_id
WHERE user_id = :user_id AND removed IS NULL;

-- name: any
SELECT 1 FROM passwords WHERE user_id > 0 LIMIT 1;
