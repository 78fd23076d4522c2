-- name: delete_forgotten
DELETE FROM sign_in_attempts WHERE last < :forgotten;

-- name: make_room
-- Who tries many names once does not make the platform forget which one was tried often.
DELETE FROM sign_in_attempts WHERE made < :often AND last < (
    SELECT last FROM sign_in_attempts ORDER BY last DESC LIMIT 1 OFFSET :most
);

-- name: make_room_among_all
DELETE FROM sign_in_attempts WHERE last < (
    SELECT last FROM sign_in_attempts ORDER BY last DESC LIMIT 1 OFFSET :most
);

-- name: ensure
INSERT INTO sign_in_attempts (name_hash, made, last) VALUES (:name_hash, 0, :now)
ON CONFLICT (name_hash) DO UPDATE SET made = sign_in_attempts.made
RETURNING made, last;

-- name: count
UPDATE sign_in_attempts SET made = made + 1, last = :now WHERE name_hash = :name_hash;

-- name: delete
DELETE FROM sign_in_attempts WHERE name_hash = :name_hash;
