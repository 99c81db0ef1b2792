-- Events that the journal has forgotten: their calls stay, and a late delivery changes nothing.
BEGIN;
\ir lib/setup.psql
SELECT plan(7);

SELECT is(send('{"event":"call_analyzed","call":{"call_id":"e1","agent_id":"a","call_analysis":{"call_summary":"one"},"only_here":1}}', 1000), 'inserted', 'a call');
SELECT is(send('{"event":"call_analyzed","call":{"call_id":"e1","agent_id":"a","call_analysis":{"call_summary":"two"}}}', 2000), 'updated', 'analysed again');
CREATE TEMPORARY TABLE before AS SELECT call_row('e1') AS row;
DELETE FROM journal; -- as expiry does
SELECT is(send('{"event":"call_analyzed","call":{"call_id":"e1","agent_id":"a","call_analysis":{"call_summary":"one"},"only_here":1}}', 3000), 'unchanged',
          'the first analysis, delivered once more after it was forgotten');
SELECT is(send('{"event":"call_analyzed","call":{"call_id":"e1","agent_id":"a","call_analysis":{"call_summary":"two"}}}', 4000), 'unchanged', 'and the second');
SELECT is(call_row('e1'), (SELECT row FROM before), 'leave the call as it was, value by value and version by version');
SELECT is((SELECT count(*) FROM calls WHERE call_id = 'e1'), 1::bigint, 'it is one call');
SELECT is(send('{"event":"call_analyzed","call":{"call_id":"e1","agent_id":"a","call_analysis":{"call_summary":"three"}}}', 3500), 'updated', 'a new analysis still counts');

SELECT * FROM finish();
ROLLBACK;
