-- name: delete_ended
DELETE FROM browser_codes WHERE expires < :now;

-- name: make_room
-- All but the newest :kept of a key.
DELETE FROM browser_codes WHERE hash IN (
    SELECT hash FROM browser_codes WHERE key_id = :key_id ORDER BY expires DESC, hash LIMIT :most OFFSET :kept
);

-- name: insert
INSERT INTO browser_codes (hash, username, key_id, expires) VALUES (:hash, :username, :key_id, :expires);

-- name: take
DELETE FROM browser_codes WHERE hash = :hash RETURNING username, key_id, expires;
