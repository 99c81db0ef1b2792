-- How what ingest writes most is stored.

-- The words of a transcript as Retell wrote them: json, which keeps the text. Making jsonb of some
-- thousand numbers took most of the time of a batch, and nobody searches among them.
ALTER TABLE frontdesk.calls
    ALTER COLUMN transcript_object TYPE json USING transcript_object::text::json;

-- A journal row is written once and hardly read. Compressed and in the row, a usual event is one
-- row of one table; only what does not fit a page goes elsewhere.
ALTER TABLE frontdesk.journal
    ALTER COLUMN body SET STORAGE MAIN;

DO $$
BEGIN
    ALTER TABLE frontdesk.calls
        ALTER COLUMN call_summary SET COMPRESSION lz4,
        ALTER COLUMN custom_analysis SET COMPRESSION lz4,
        ALTER COLUMN metadata SET COMPRESSION lz4,
        ALTER COLUMN transcript_object SET COMPRESSION lz4,
        ALTER COLUMN latency SET COMPRESSION lz4,
        ALTER COLUMN provenance SET COMPRESSION lz4;
EXCEPTION
    WHEN feature_not_supported THEN
        RAISE NOTICE 'this server has no lz4: the default compression is used';
END
$$;
