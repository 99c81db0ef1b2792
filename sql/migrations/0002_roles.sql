-- Who may do what. Everything is refused first; then each role is given what it needs by name.
--
-- frontdesk_server   the server: reads and writes rows, changes no table
-- frontdesk_analyst  people and BI tools: read calls and agents; neither the journal nor, later,
--                    users and keys. A new table is invisible to them until a migration says so.
--
-- Roles belong to the whole cluster, so they may exist already. Neither gets a password here: how
-- they log in is the installation's affair.

DO $$
DECLARE
    wanted pg_catalog.name;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['frontdesk_server', 'frontdesk_analyst']::pg_catalog.name[] LOOP
        BEGIN
            EXECUTE pg_catalog.format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE', wanted);
        EXCEPTION
            WHEN duplicate_object THEN
                NULL;
        END;
    END LOOP;
    EXECUTE pg_catalog.format('REVOKE CREATE, TEMPORARY ON DATABASE %I FROM PUBLIC', pg_catalog.current_database());
    EXECUTE pg_catalog.format('GRANT CONNECT ON DATABASE %I TO frontdesk_server, frontdesk_analyst', pg_catalog.current_database());
END
$$;

-- What the server says is short and often said: compiling it would cost more than running it.
ALTER ROLE frontdesk_server SET jit = off;
-- The grants below refuse an analyst's writes; this refuses them early, and in every database.
ALTER ROLE frontdesk_analyst SET default_transaction_read_only = on;

REVOKE ALL ON SCHEMA frontdesk FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA frontdesk FROM PUBLIC;

GRANT USAGE ON SCHEMA frontdesk TO frontdesk_server, frontdesk_analyst;

GRANT SELECT, INSERT, UPDATE, DELETE ON frontdesk.agents, frontdesk.call_home, frontdesk.calls, frontdesk.journal TO frontdesk_server;
GRANT SELECT ON frontdesk.agents, frontdesk.call_home, frontdesk.calls TO frontdesk_analyst;

-- The server looks at the schema's version before it serves. The table is made by `frontdesk
-- migrate`, not by a migration, so it may be missing when these files are applied by hand.
DO $$
BEGIN
    IF pg_catalog.to_regclass('frontdesk.schema_migrations') IS NOT NULL THEN
        GRANT SELECT ON frontdesk.schema_migrations TO frontdesk_server;
    END IF;
END
$$;

GRANT EXECUTE ON FUNCTION
    frontdesk.agent_json(text, text[]),
    frontdesk.agents_json(text[], text, text, integer, bigint),
    frontdesk.call_history(text, text, text, integer, bigint),
    frontdesk.call_history_json(text, text[], text, text, integer, bigint),
    frontdesk.call_json(text, text[]),
    frontdesk.calls_json(text[], text, text, integer, bigint),
    frontdesk.extension_version()
    TO frontdesk_server, frontdesk_analyst;
GRANT EXECUTE ON FUNCTION frontdesk.ingest(bytea[], text[], bigint[]) TO frontdesk_server;
