-- What several platforms on one database have in common, where one alone keeps it in memory or in files.

-- Keys that sign API keys and query tokens, each encrypted with the platforms' secret key.
CREATE TABLE signing_keys (
    kid TEXT PRIMARY KEY,
    sealed TEXT NOT NULL,
    signs_from INTEGER NOT NULL
);

-- What must be the same everywhere. Writing a row also lets one platform at a time do what it names.
CREATE TABLE shared_facts (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- Codes in links that open the web page; `expires` in Unix seconds.
CREATE TABLE browser_codes (
    hash TEXT PRIMARY KEY,
    username TEXT NOT NULL,
    key_id TEXT NOT NULL,
    expires INTEGER NOT NULL
);
CREATE INDEX browser_codes_of_key ON browser_codes (key_id, expires);
CREATE INDEX browser_codes_by_end ON browser_codes (expires);

-- Attempts to sign in that failed or are under way; `last` in Unix milliseconds.
CREATE TABLE sign_in_attempts (
    name_hash TEXT PRIMARY KEY,
    made INTEGER NOT NULL,
    last INTEGER NOT NULL
);
CREATE INDEX sign_in_attempts_by_time ON sign_in_attempts (last);

-- Who deploys a pending revision. Another goes on with it when that executor is no longer there.
ALTER TABLE revisions ADD COLUMN executor_id TEXT;

-- Stored bytes that are being removed: nobody relies on them until then (Unix seconds).
CREATE TABLE content_removals (
    content TEXT PRIMARY KEY,
    until INTEGER NOT NULL
);

-- Packages that are about to be those of a revision.
CREATE TABLE package_holds (
    id INTEGER PRIMARY KEY,
    package_hash TEXT NOT NULL,
    until INTEGER NOT NULL
);
CREATE INDEX package_holds_of_package ON package_holds (package_hash);
CREATE INDEX package_holds_by_end ON package_holds (until);

-- What the query's models used so far, wherever they were called.
ALTER TABLE queries ADD COLUMN tokens INTEGER NOT NULL DEFAULT 0;
