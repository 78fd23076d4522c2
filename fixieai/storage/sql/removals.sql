-- name: begin
INSERT INTO content_removals (content, until) VALUES (:content, :until)
ON CONFLICT (content) DO UPDATE SET until = :until WHERE content_removals.until <= :now;

-- name: take
INSERT INTO content_removals (content, until) VALUES (:content, 0)
ON CONFLICT (content) DO UPDATE SET until = 0 WHERE content_removals.until <= :now;

-- name: end
DELETE FROM content_removals WHERE content = :content;
