-- name: increment
INSERT INTO usage (user_id, day, used) SELECT :user_id, :day, 1 WHERE :limit > 0
ON CONFLICT (user_id, day) DO UPDATE SET used = usage.used + 1 WHERE usage.used < :limit;

-- name: used
SELECT used FROM usage WHERE user_id = :user_id AND day = :day;
