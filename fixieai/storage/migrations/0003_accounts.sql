-- `removed`: when the account was; the row stays, so that nobody else gets the name.
ALTER TABLE users ADD COLUMN is_administrator INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN removed TEXT;
UPDATE users SET is_administrator = 1 WHERE username = 'local';

-- Unix seconds; NULL: the key ends only when it is revoked.
ALTER TABLE api_keys ADD COLUMN expires INTEGER;

CREATE TABLE passwords (
    user_id INTEGER PRIMARY KEY REFERENCES users (id),
    hash TEXT NOT NULL,
    modified TEXT NOT NULL
);

-- One link at a time per person; `hash` is of the code in it, `expires` in Unix seconds.
CREATE TABLE invitations (
    user_id INTEGER PRIMARY KEY REFERENCES users (id),
    hash TEXT NOT NULL UNIQUE,
    expires INTEGER NOT NULL
);

-- Codes on their way from the page to the command line that asked; `expires` in Unix seconds.
CREATE TABLE authorizations (
    hash TEXT PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id),
    redirect_uri TEXT NOT NULL,
    challenge TEXT,
    expires INTEGER NOT NULL
);
CREATE INDEX authorizations_of_user ON authorizations (user_id);
