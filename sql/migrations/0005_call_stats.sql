-- The statistics type's functions, for the server and for analysts. The aggregates' own steps need
-- no grant: they run as their owner.

DO $$
DECLARE
    function pg_catalog.regprocedure;
BEGIN
    FOR function IN
        SELECT p.oid FROM pg_catalog.pg_proc AS p
        WHERE p.pronamespace = 'frontdesk'::pg_catalog.regnamespace
          AND ('frontdesk.call_stats'::pg_catalog.regtype = ANY (p.proargtypes) OR p.prorettype = 'frontdesk.call_stats'::pg_catalog.regtype)
    LOOP
        EXECUTE pg_catalog.format('GRANT EXECUTE ON ROUTINE %s TO frontdesk_server, frontdesk_analyst', function);
    END LOOP;
END
$$;
