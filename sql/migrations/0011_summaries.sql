-- Summaries: for analysts as rows, and as json for the API, whose answers analysts may read too.

GRANT EXECUTE ON FUNCTION
    frontdesk.agent_summary(text, timestamptz, timestamptz),
    frontdesk.agent_summary_json(text, text[], bigint, bigint, text, text),
    frontdesk.agent_summary_series(text, timestamptz, timestamptz, text, text),
    frontdesk.agents_overview(timestamptz, timestamptz),
    frontdesk.analytics_agents_json(text[], bigint, bigint),
    frontdesk.analytics_calls_json(text[], text, bigint, bigint, text),
    frontdesk.analytics_overview_json(text[], text, bigint, bigint),
    frontdesk.analytics_sentiment_json(text[], text, bigint, bigint),
    frontdesk.overview_json(text[]),
    frontdesk.stats_json(text[]),
    frontdesk.summary_json(text[], bigint, bigint, text, text)
    TO frontdesk_server, frontdesk_analyst;
