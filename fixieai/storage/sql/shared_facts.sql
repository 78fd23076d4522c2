-- name: lock
INSERT INTO shared_facts (name, value) VALUES (:name, '')
ON CONFLICT (name) DO UPDATE SET value = shared_facts.value
RETURNING value;

-- name: get
SELECT value FROM shared_facts WHERE name = :name;

-- name: set
UPDATE shared_facts SET value = :value WHERE name = :name;
