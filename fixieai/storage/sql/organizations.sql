-- name: insert
INSERT INTO users (id, username, kind, name, created)
SELECT :id, :handle, 'organization', :name, :now
WHERE EXISTS (SELECT 1 FROM users WHERE id = :user_id AND removed IS NULL)
ON CONFLICT (username) DO NOTHING;

-- name: get
SELECT users.id, username, users.name, role, users.created
FROM users JOIN organization_members ON organization_id = users.id AND user_id = :user_id
WHERE username = :handle;

-- name: page
SELECT users.id, username, users.name, role, users.created
FROM organization_members JOIN users ON users.id = organization_id
WHERE user_id = :user_id AND organization_id > :after ORDER BY organization_id LIMIT :limit;

-- name: members
SELECT username, role, organization_members.created, user_id
FROM organization_members JOIN users ON users.id = user_id
WHERE organization_id = :organization_id AND user_id > :after ORDER BY user_id LIMIT :limit;

-- name: user_id
SELECT id FROM users WHERE username = :username AND kind = 'user' AND removed IS NULL;

-- name: put_member
INSERT INTO organization_members (organization_id, user_id, role, created)
VALUES (:organization_id, :user_id, :role, :now)
ON CONFLICT (organization_id, user_id) DO UPDATE SET role = :role;

-- name: remove_member
DELETE FROM organization_members WHERE organization_id = :organization_id AND user_id = :user_id;

-- name: lock
-- The change of nothing: of two who leave at the same time, the second sees that the first has left.
UPDATE users SET username = username WHERE id = :organization_id AND kind = 'organization';

-- name: owners
SELECT count(*) FROM organization_members WHERE organization_id = :organization_id AND role = 'owner';

-- name: another_owner
SELECT 1 FROM organization_members
WHERE organization_id = :organization_id AND role = 'owner' AND user_id <> :user_id LIMIT 1;

-- name: has_agents
SELECT 1 FROM agents WHERE owner_id = :organization_id LIMIT 1;

-- name: remove
UPDATE users SET removed = :now, name = NULL WHERE id = :organization_id AND kind = 'organization';

-- name: remove_members
DELETE FROM organization_members WHERE organization_id = :organization_id;

-- name: owner_id
SELECT id FROM users
WHERE username = :owner AND removed IS NULL AND (id = :user_id OR EXISTS (
    SELECT 1 FROM organization_members WHERE organization_id = users.id AND user_id = :user_id
));
