-- Summaries over all agents, as rows: who may ask for one agent's may ask for these.

GRANT EXECUTE ON FUNCTION
    frontdesk.summary(timestamptz, timestamptz),
    frontdesk.summary_series(timestamptz, timestamptz, text, text)
    TO frontdesk_server, frontdesk_analyst;
