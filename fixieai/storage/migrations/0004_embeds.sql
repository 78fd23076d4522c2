-- An attachment: its bytes are elsewhere under `content_hash`, or it is at another server's `uri`.
CREATE TABLE embeds (
    id INTEGER PRIMARY KEY,
    session_id INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    sender TEXT NOT NULL,
    content_type TEXT NOT NULL,
    content_hash TEXT,
    size INTEGER,
    uri TEXT,
    created TEXT NOT NULL
);
CREATE INDEX embeds_of_session ON embeds (session_id, id);
CREATE INDEX embeds_by_key ON embeds (session_id, key, id);
CREATE INDEX embeds_of_content ON embeds (content_hash);

-- Who may be about to use a content, or was the last to use it. A content with neither an embed
-- nor a hold that lasts can be deleted.
CREATE TABLE content_holds (
    embed_id INTEGER PRIMARY KEY,
    content_hash TEXT NOT NULL,
    until INTEGER NOT NULL
);
CREATE INDEX content_holds_of_content ON content_holds (content_hash);
CREATE INDEX content_holds_by_end ON content_holds (until);
