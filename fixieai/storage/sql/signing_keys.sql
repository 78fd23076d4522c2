-- name: all
SELECT kid, sealed, signs_from FROM signing_keys ORDER BY signs_from DESC, kid;

-- name: insert
INSERT INTO signing_keys (kid, sealed, signs_from) VALUES (:kid, :sealed, :signs_from);
