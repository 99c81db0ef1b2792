-- Events may come from a back end that Frontdesk replaces, and users with its bcrypt hashes.

ALTER TABLE frontdesk.journal
    DROP CONSTRAINT journal_source_check,
    ADD CONSTRAINT journal_source_check CHECK (source IN ('webhook', 'poll', 'replay', 'import'));

COMMENT ON COLUMN frontdesk.journal.source IS 'How it came first: webhook, poll, replay or import.';
COMMENT ON COLUMN frontdesk.users.password_hash IS 'argon2id, with its salt and parameters; bcrypt for a user who was imported, until the next login.';
