-- P3: duplicates in any number and order give one row, equal to the in-order result.
BEGIN;
\ir lib/setup.psql
SELECT plan(40);

-- The life of one call, in order. Bodies disagree wherever Retell's may, and the transfer's sample
-- names no agent.
CREATE TEMPORARY TABLE life (n integer PRIMARY KEY, sent_ms bigint, source text, body text);
INSERT INTO life VALUES
(1, 1700000000000, 'webhook', '{"event":"call_started","call":{"call_id":"p3","agent_id":"a","agent_name":"A","call_type":"phone_call","call_status":"ongoing","direction":"inbound","from_number":"+1","to_number":"+2","start_timestamp":1700000000100,"metadata":{"k":1},"only_started":true,"changes":"started"}}'),
(2, 1700000001000, 'webhook', '{"event":"transcript_updated","call":{"call_id":"p3","agent_id":"a","call_status":"ongoing","transcript":"Agent: Hi","changes":"transcript"}}'),
(3, 1700000002000, 'webhook', '{"event":"transfer_started","transfer_destination":{"type":"predefined","number":"+9"},"transfer_option":{"type":"cold"},"call":{"call_id":"p3"}}'),
(4, 1700000003000, 'webhook', '{"event":"transcript_updated","call":{"call_id":"p3","agent_id":"a","call_status":"ongoing","transcript":"Agent: Hi\nUser: Bye","changes":"transcript 2"}}'),
(5, 1700000004000, 'webhook', '{"event":"call_ended","call":{"call_id":"p3","agent_id":"a","call_status":"registered","end_timestamp":1700000003900,"duration_ms":3800,"disconnection_reason":"user_hangup","call_cost":{"combined_cost":3.5},"transcript":"Agent: Hi\nUser: Bye.","transfer_destination":"+9","changes":"ended"}}'),
(6, 1700000009000, 'webhook', '{"event":"call_analyzed","call":{"call_id":"p3","agent_id":"a","call_status":"ended","duration_ms":3800,"call_cost":{"combined_cost":3.75},"transcript":"Agent: Hi\nUser: Bye.","call_analysis":{"call_summary":"Short.","call_successful":true,"user_sentiment":"Neutral"},"changes":"analyzed"}}');

CREATE FUNCTION pg_temp.send_each(orders integer[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    next integer;
BEGIN
    FOREACH next IN ARRAY orders LOOP
        PERFORM tap.send(body, sent_ms, source) FROM life WHERE n = next;
    END LOOP;
END
$$;

CREATE FUNCTION pg_temp.send_at_once(orders integer[]) RETURNS void LANGUAGE sql AS $$
    SELECT count(*) FROM frontdesk.ingest(
        (SELECT array_agg(convert_to(body, 'UTF8') ORDER BY o) FROM unnest(orders) WITH ORDINALITY AS t(n, o) JOIN life USING (n)),
        (SELECT array_agg(source ORDER BY o) FROM unnest(orders) WITH ORDINALITY AS t(n, o) JOIN life USING (n)),
        (SELECT array_agg(sent_ms ORDER BY o) FROM unnest(orders) WITH ORDINALITY AS t(n, o) JOIN life USING (n)))
$$;

-- The row that a history leaves, on an empty database.
CREATE FUNCTION pg_temp.play(orders integer[]) RETURNS jsonb LANGUAGE sql AS $$
    SELECT tap.row_after(format('SELECT pg_temp.send_each(%L)', orders), 'p3')
$$;
CREATE FUNCTION pg_temp.play_at_once(orders integer[]) RETURNS jsonb LANGUAGE sql AS $$
    SELECT tap.row_after(format('SELECT pg_temp.send_at_once(%L)', orders), 'p3')
$$;

CREATE TEMPORARY TABLE orders AS
WITH RECURSIVE grow(o) AS (
    SELECT ARRAY[n] FROM life
    UNION ALL
    SELECT o || n FROM grow, life WHERE n <> ALL (o)
)
SELECT o FROM grow WHERE cardinality(o) = 6;

CREATE TEMPORARY TABLE in_order AS SELECT pg_temp.play('{1,2,3,4,5,6}') AS row;

-- First, that the in-order row is right.
SELECT is(row ->> 'call_status', 'ended', 'in order: a status of registered beside the end counts as ended') FROM in_order;
SELECT is(row ->> 'transcript', E'Agent: Hi\nUser: Bye.', 'in order: the last transcript') FROM in_order;
SELECT is(row ->> 'cost', '3.7500', 'in order: the analyzed cost') FROM in_order;
SELECT is(row ->> 'call_summary', 'Short.', 'in order: the summary') FROM in_order;
SELECT is(row -> 'call_successful', 'true', 'in order: success') FROM in_order;
SELECT is(row -> 'in_voicemail', 'null', 'in order: what is absent is not false') FROM in_order;
SELECT is(row ->> 'disconnection_reason', 'user_hangup', 'in order: absence in a later event blanks nothing') FROM in_order;
SELECT is(row -> 'start_timestamp', '1700000000100', 'in order: the start') FROM in_order;
SELECT is(row -> 'metadata', '{"k": 1}', 'in order: metadata') FROM in_order;
SELECT is(row -> 'first_sent_ms', '1700000000000', 'in order: the first event') FROM in_order;
SELECT is(row ->> 'transfer_destination', '+9', 'in order: where it was transferred') FROM in_order;
SELECT is(row -> 'details', '{"changes": "analyzed", "call_cost": {"combined_cost": 3.75}, "agent_name": "A", "only_started": true,
    "transfer_option": {"type": "cold"}, "transfer_destination": {"type": "predefined", "number": "+9"}}',
    'in order: details, each key the latest that has it') FROM in_order;

-- Then, that every other history gives the same.
SELECT is((SELECT count(*) FROM orders), 720::bigint, 'six events have 720 orders');
SELECT is_empty(
    $$SELECT o FROM orders, in_order WHERE pg_temp.play(o) IS DISTINCT FROM row$$,
    'P3: all orders, one event at a time');
SELECT is_empty(
    $$SELECT o FROM orders, in_order WHERE pg_temp.play_at_once(o) IS DISTINCT FROM row$$,
    'P3: all orders, in one batch');
SELECT is_empty(
    $$SELECT o FROM orders, in_order WHERE pg_temp.play(o || o[3:6] || o[1:4]) IS DISTINCT FROM row$$,
    'P3: all orders with duplicates, one event at a time');
SELECT is_empty(
    $$SELECT o FROM orders, in_order WHERE pg_temp.play_at_once(o[2:5] || o || o[1:1]) IS DISTINCT FROM row$$,
    'P3: all orders with duplicates, in one batch');

SELECT pg_temp.send_each('{3,6,5,3,4,2,1,6}');
SELECT is((SELECT count(*) FROM journal), 6::bigint, 'the journal has each event once');
SELECT is((SELECT count(*) FROM journal WHERE agent_id = 'a' AND state = 'done'), 6::bigint, 'all under the call''s agent, done');

-- Status never moves back.
CREATE FUNCTION pg_temp.statuses(variadic events text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    next text;
    sent bigint := 1700000000000;
BEGIN
    PERFORM tap.forget_everything();
    FOREACH next IN ARRAY events LOOP
        sent := sent + 1000;
        PERFORM tap.send(format('{"event":"%s","call":{"call_id":"s","agent_id":"a"%s}}', split_part(next, ' ', 1),
                                CASE split_part(next, ' ', 2) WHEN '' THEN ''
                                     ELSE format(',"call_status":"%s"', split_part(next, ' ', 2)) END),
                         sent, coalesce(nullif(split_part(next, ' ', 3), ''), 'webhook'));
    END LOOP;
    RETURN (SELECT call_status FROM frontdesk.calls WHERE call_id = 's');
END
$$;
SELECT is(pg_temp.statuses('call_started registered', 'transcript_updated ongoing'), 'ongoing', 'registered, then ongoing');
SELECT is(pg_temp.statuses('transcript_updated ongoing', 'call_started registered'), 'ongoing', 'ongoing, then registered');
SELECT is(pg_temp.statuses('call_ended error', 'transcript_updated ongoing', 'call_started registered'), 'error', 'an end stays an end');
SELECT is(pg_temp.statuses('call_ended not_connected', 'call_analyzed not_connected'), 'not_connected', 'a call that did not connect');
SELECT is(pg_temp.statuses('call_ended error', 'call_analyzed ended'), 'ended', 'of two ends the more complete event''s counts');
SELECT is(pg_temp.statuses('call_analyzed ended', 'call_ended error'), 'ended', 'in either order');
SELECT is(pg_temp.statuses('call_ended error', 'call_analyzed registered'), 'error', 'an end that is only implied yields to one that is named');
SELECT is(pg_temp.statuses('call_ended'), 'ended', 'an end without a status is an end');
SELECT is(pg_temp.statuses('call_started'), NULL, 'a start without a status says nothing');
SELECT is(pg_temp.statuses('call_ended abandoned', 'transcript_updated ongoing'), 'abandoned', 'an end that is not known yet is kept');

-- Analysis runs again; polls.
SELECT forget_everything();
SELECT is((SELECT array_agg(send(b, t) ORDER BY o) FROM (VALUES
        (1, 2000, '{"event":"call_analyzed","call":{"call_id":"x","agent_id":"a","call_analysis":{"call_summary":"second"}}}'),
        (2, 1000, '{"event":"call_analyzed","call":{"call_id":"x","agent_id":"a","call_analysis":{"call_summary":"first","user_sentiment":"Positive"}}}'),
        (3, 3000, '{"event":"call_ended","call":{"call_id":"x","agent_id":"a","transcript":"t","recording_url":"u"}}')) AS v(o, t, b)),
    ARRAY['inserted', 'updated', 'updated'], 'analyses out of order');
SELECT results_eq($$SELECT call_summary, user_sentiment, transcript FROM calls$$, $$VALUES ('second', 'Positive', 't')$$,
    'the one sent last wins, and what only the first knew stays');
SELECT is(send('{"event":"poll","call":{"call_id":"x","agent_id":"a","call_status":"ended","transcript":"","transcript_object":[],"recording_url":null,"call_analysis":{"call_summary":"third","call_successful":false}}}', 9000, 'poll'),
    'updated', 'a later poll with analysis');
SELECT results_eq($$SELECT call_summary, call_successful, transcript, recording_url FROM calls$$, $$VALUES ('third', false, 't', 'u')$$,
    'brings what is new and blanks nothing');
SELECT is(send('{"event":"poll","call":{"call_id":"x","agent_id":"a","call_status":"ongoing","call_type":"web_call","transcript":"partial"}}', 9999, 'poll'),
    'updated', 'a poll of a live call, late');
SELECT results_eq($$SELECT call_status, call_type, transcript FROM calls$$, $$VALUES ('ended', 'web_call', 't')$$,
    'counts as little as a start');

-- A delivery that was sent earlier than the one that came first.
SELECT forget_everything();
SELECT is((SELECT array_agg(send(b, t) ORDER BY o) FROM (VALUES
        (1, 5000, '{"event":"call_analyzed","call":{"call_id":"y","agent_id":"a","x":1,"call_analysis":{"call_summary":"old"}}}'),
        (2, 3000, '{"event":"call_analyzed","call":{"call_id":"y","agent_id":"a","x":2,"call_analysis":{"call_summary":"new"}}}'),
        (3, 6000, '{"event":"call_analyzed","call":{"call_id":"y","agent_id":"a","x":1,"call_analysis":{"call_summary":"old"}}}'),
        (4, 1000, '{"event":"call_analyzed","call":{"call_id":"y","agent_id":"a","x":1,"call_analysis":{"call_summary":"old"}}}')) AS v(o, t, b)),
    ARRAY['inserted', 'updated', 'unchanged', 'updated'], 'the first sending of an event is what counts');
SELECT results_eq($$SELECT call_summary, details -> 'x', first_sent_ms FROM calls$$, $$VALUES ('new', '2'::jsonb, 1000::bigint)$$,
    'what had lost to its retry wins');

-- Nothing is written for a duplicate, and updated_at moves only with a value.
CREATE TEMPORARY TABLE before AS SELECT ctid AS place, cmin::text AS command, updated_at FROM calls;
SELECT is(send('{"event":"call_analyzed","call":{"call_id":"y","agent_id":"a","x":2,"call_analysis":{"call_summary":"new"}}}', 7000), 'unchanged', 'a duplicate');
SELECT results_eq('SELECT ctid, cmin::text, updated_at FROM calls', 'SELECT * FROM before', 'leaves the row as it is');
SELECT is((SELECT count(*) FROM journal), 2::bigint, 'and the journal');

SELECT * FROM finish();
ROLLBACK;
