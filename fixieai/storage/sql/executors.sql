-- name: insert
INSERT INTO executors (id, beat, started) VALUES (:id, 0, :now);

-- name: beat
UPDATE executors SET beat = beat + 1 WHERE id = :id;

-- name: beats
SELECT id, beat FROM executors;

-- name: remove
DELETE FROM executors WHERE id = :id AND beat = :beat;

-- name: leave
DELETE FROM executors WHERE id = :id;

-- name: remove_all
DELETE FROM executors;
