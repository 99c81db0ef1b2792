-- Who may come in: users, the agents that they are assigned, keys of programs, and how often a login
-- failed lately. None of it is for analysts, and none of it holds a secret that could be used: only
-- hashes of passwords and digests of keys.
--
-- No page, summary or fold reads these tables: the agents that a caller may see come to those as a
-- parameter. An agent is never deleted, so user_agents needs no key that points at it.

CREATE TABLE frontdesk.users (
    id uuid NOT NULL DEFAULT pg_catalog.gen_random_uuid(),
    email text COLLATE "C" NOT NULL,
    name text,
    phone text,
    role text NOT NULL,
    status text NOT NULL,
    all_agents boolean NOT NULL DEFAULT false,
    password_hash text NOT NULL,
    tokens_from bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_email_key UNIQUE (email),
    CONSTRAINT users_email_check CHECK (email = pg_catalog.lower(email) AND email <> ''),
    CONSTRAINT users_role_check CHECK (role IN ('USER', 'ADMIN', 'SUPERADMIN')),
    CONSTRAINT users_status_check CHECK (status IN ('PENDING', 'APPROVED', 'REJECTED'))
);

COMMENT ON TABLE frontdesk.users IS 'People who log in. Changed by the user_… functions only, which keep its rules.';
COMMENT ON COLUMN frontdesk.users.id IS 'The subject (sub) of this user''s tokens.';
COMMENT ON COLUMN frontdesk.users.email IS 'What the user logs in with; lower case.';
COMMENT ON COLUMN frontdesk.users.name IS 'Name for people.';
COMMENT ON COLUMN frontdesk.users.phone IS 'Phone number, as given.';
COMMENT ON COLUMN frontdesk.users.role IS 'USER reads what it is assigned; ADMIN sees and manages all; SUPERADMIN also approves users and makes superadmins.';
COMMENT ON COLUMN frontdesk.users.status IS 'PENDING until approved; APPROVED; REJECTED: may no longer log in.';
COMMENT ON COLUMN frontdesk.users.all_agents IS 'A USER that sees every agent, those to come too.';
COMMENT ON COLUMN frontdesk.users.password_hash IS 'argon2id, with its salt and parameters.';
COMMENT ON COLUMN frontdesk.users.tokens_from IS 'Tokens issued before this second (since epoch, by the database''s clock) are dead.';
COMMENT ON COLUMN frontdesk.users.created_at IS 'When the user was made.';
COMMENT ON COLUMN frontdesk.users.updated_at IS 'When one of its values last changed.';

CREATE TABLE frontdesk.user_agents (
    user_id uuid NOT NULL,
    agent_id text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    CONSTRAINT user_agents_pkey PRIMARY KEY (user_id, agent_id),
    CONSTRAINT user_agents_user_id_fkey FOREIGN KEY (user_id) REFERENCES frontdesk.users (id) ON DELETE CASCADE
);

COMMENT ON TABLE frontdesk.user_agents IS 'Assignments: the agents whose calls a USER may see.';
COMMENT ON COLUMN frontdesk.user_agents.user_id IS 'The user.';
COMMENT ON COLUMN frontdesk.user_agents.agent_id IS 'The agent, by Retell''s identifier.';
COMMENT ON COLUMN frontdesk.user_agents.created_at IS 'When it was assigned.';

CREATE INDEX user_agents_agent_id_idx ON frontdesk.user_agents (agent_id);

COMMENT ON INDEX frontdesk.user_agents_agent_id_idx IS 'The users of an agent.';

CREATE TABLE frontdesk.api_keys (
    id uuid NOT NULL DEFAULT pg_catalog.gen_random_uuid(),
    name text NOT NULL,
    role text NOT NULL,
    agents text[] COLLATE "C",
    prefix text NOT NULL,
    digest bytea NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    expires_at timestamptz,
    last_used_at timestamptz,
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_digest_key UNIQUE (digest),
    CONSTRAINT api_keys_created_by_fkey FOREIGN KEY (created_by) REFERENCES frontdesk.users (id) ON DELETE SET NULL,
    CONSTRAINT api_keys_digest_check CHECK (pg_catalog.octet_length(digest) = 32),
    CONSTRAINT api_keys_role_check CHECK (role IN ('USER', 'ADMIN')),
    CONSTRAINT api_keys_agents_check CHECK (role = 'USER' OR agents IS NULL)
);

COMMENT ON TABLE frontdesk.api_keys IS 'Keys of programs. A revoked key is deleted.';
COMMENT ON COLUMN frontdesk.api_keys.id IS 'Identifier, to revoke it by.';
COMMENT ON COLUMN frontdesk.api_keys.name IS 'What it is for.';
COMMENT ON COLUMN frontdesk.api_keys.role IS 'USER reads; ADMIN manages.';
COMMENT ON COLUMN frontdesk.api_keys.agents IS 'The agents that a USER key sees; null: all.';
COMMENT ON COLUMN frontdesk.api_keys.prefix IS 'Its first characters, to recognise it by.';
COMMENT ON COLUMN frontdesk.api_keys.digest IS 'SHA-256 of the key, which itself is kept nowhere.';
COMMENT ON COLUMN frontdesk.api_keys.created_by IS 'The user who made it; null when an operator did, or the user is gone.';
COMMENT ON COLUMN frontdesk.api_keys.created_at IS 'When it was made.';
COMMENT ON COLUMN frontdesk.api_keys.expires_at IS 'When it stops working; null: never.';
COMMENT ON COLUMN frontdesk.api_keys.last_used_at IS 'When it was last used; written at most about once a minute.';

CREATE TABLE frontdesk.login_attempts (
    subject bytea NOT NULL,
    attempts integer NOT NULL,
    last_at timestamptz NOT NULL,
    refused_until timestamptz NOT NULL,
    CONSTRAINT login_attempts_pkey PRIMARY KEY (subject)
);

COMMENT ON TABLE frontdesk.login_attempts IS 'Logins that did not succeed lately, by account and by address: what makes guessing slow. Rows are dropped a day after their last attempt.';
COMMENT ON COLUMN frontdesk.login_attempts.subject IS 'Digest of an e-mail, whether or not a user has it, or of an address.';
COMMENT ON COLUMN frontdesk.login_attempts.attempts IS 'Attempts since the last success.';
COMMENT ON COLUMN frontdesk.login_attempts.last_at IS 'When the last one was.';
COMMENT ON COLUMN frontdesk.login_attempts.refused_until IS 'Until then the next one is refused unseen.';

CREATE INDEX login_attempts_last_at_idx ON frontdesk.login_attempts (last_at);

COMMENT ON INDEX frontdesk.login_attempts_last_at_idx IS 'Dropping the oldest.';

ALTER TABLE frontdesk.agents ADD COLUMN named_by_hand boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN frontdesk.agents.named_by_hand IS 'A person gave the name: neither an event nor a sync changes it.';

REVOKE ALL ON frontdesk.users, frontdesk.user_agents, frontdesk.api_keys, frontdesk.login_attempts FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON frontdesk.users, frontdesk.user_agents, frontdesk.api_keys, frontdesk.login_attempts TO frontdesk_server;
