-- Users, who may change whom, how logins are counted, and that a name given by hand stays.
BEGIN;
\ir lib/setup.psql
SELECT plan(60);

-- ---- making users ----

SELECT is(outcome || ' ' || user_role, 'ok SUPERADMIN', 'the first user there ever is becomes a superadmin')
FROM user_add('first@example.com', 'First', NULL, 'h1', NULL, 'APPROVED', false);
SELECT is(outcome || ' ' || user_role, 'ok USER', 'the second is a user')
FROM user_add('second@example.com', NULL, '+1', 'h2', NULL, 'APPROVED', false);
SELECT is(ROW(outcome, user_id, user_role, profile::text)::text, '(taken,,,)', 'an e-mail is taken once, and nothing is said of who has it')
FROM user_add('second@example.com', 'Else', NULL, 'h3', 'ADMIN', 'APPROVED', true);
SELECT is(u.password_hash || u.role, 'h2USER', 'who has it is as before') FROM users AS u WHERE email = 'second@example.com';
SELECT is(outcome, 'ok', 'a role may be given') FROM user_add('admin@example.com', NULL, NULL, 'h', 'ADMIN', 'APPROVED', false);
SELECT is(outcome, 'ok', 'as may a status') FROM user_add('pending@example.com', NULL, NULL, 'h', 'USER', 'PENDING', false);
SELECT throws_ok($$SELECT user_add('Upper@example.com', NULL, NULL, 'h', NULL, 'APPROVED', false)$$, '23514', NULL, 'e-mails are lower case');
SELECT is((SELECT array_agg(k) FROM json_object_keys(user_json(u)) AS k),
          '{id,email,name,phone,role,status,all_agents,created_at,updated_at}', 'a user is shown without its password')
FROM users AS u WHERE email = 'first@example.com';

CREATE FUNCTION pg_temp.id(who text) RETURNS uuid LANGUAGE sql AS $$ SELECT id FROM frontdesk.users WHERE email = who || '@example.com' $$;
CREATE FUNCTION pg_temp.change(actor text, target text, role text DEFAULT NULL, status text DEFAULT NULL, name text DEFAULT NULL, actor_role text DEFAULT 'USER')
RETURNS text LANGUAGE sql AS $$
    SELECT outcome FROM frontdesk.user_change(pg_temp.id(actor), actor_role, pg_temp.id(target), name, role, status, NULL)
$$;

-- ---- who may change whom ----

SELECT is(pg_temp.change('first', 'second', 'ADMIN'), 'ok', 'a superadmin gives roles');
SELECT is(pg_temp.change('first', 'second', 'USER'), 'ok', 'and takes them');
SELECT is(pg_temp.change('admin', 'second', 'ADMIN'), 'ok', 'an admin makes admins');
SELECT is(pg_temp.change('admin', 'second', 'USER'), 'ok', 'and users of them');
SELECT is(pg_temp.change('admin', 'second', NULL, NULL, 'Name'), 'ok', 'and names them');
SELECT is(pg_temp.change('admin', 'second', 'SUPERADMIN'), 'forbidden', 'but makes no superadmin');
SELECT is(pg_temp.change('admin', 'first', NULL, NULL, 'Name'), 'forbidden', 'nor touches one');
SELECT is(pg_temp.change('admin', 'pending', NULL, 'APPROVED'), 'forbidden', 'nor approves anybody');
SELECT is(pg_temp.change('admin', 'pending', NULL, 'PENDING', 'Name'), 'ok', 'a status said but not changed is no change');
SELECT is(pg_temp.change('second', 'pending', NULL, NULL, 'Name'), 'forbidden', 'a user changes nobody');
SELECT is(pg_temp.change('second', 'second', NULL, NULL, 'Name'), 'forbidden', 'not even itself');
SELECT is(pg_temp.change(NULL, 'second', NULL, NULL, 'Name', 'ADMIN'), 'ok', 'a key acts by its role');
SELECT is(pg_temp.change(NULL, 'first', 'USER', NULL, NULL, 'ADMIN'), 'forbidden', 'which is no superadmin''s');
SELECT is(pg_temp.change('admin', 'admin', 'USER'), 'self', 'nobody changes their own role');
SELECT is(pg_temp.change('first', 'first', NULL, 'REJECTED'), 'self', 'nor their own status');
SELECT is(pg_temp.change('first', 'first', NULL, NULL, 'Me'), 'ok', 'but their own name');
SELECT is(pg_temp.change('first', 'nobody', 'USER'), 'missing', 'who is not there is not changed');
SELECT is(pg_temp.change(NULL, 'first', 'USER', NULL, NULL, 'SUPERADMIN'), 'last', 'the last superadmin stays one');
SELECT is(pg_temp.change(NULL, 'first', NULL, 'REJECTED', NULL, 'SUPERADMIN'), 'last', 'and is not rejected');
SELECT is(user_remove(NULL, 'SUPERADMIN', pg_temp.id('first')), 'last', 'nor deleted');
SELECT is(user_remove(pg_temp.id('first'), 'USER', pg_temp.id('first')), 'self', 'least of all by itself');
SELECT is(user_remove(pg_temp.id('admin'), 'USER', pg_temp.id('first')), 'forbidden', 'nor by an admin');
SELECT is(pg_temp.change('first', 'second', 'SUPERADMIN'), 'ok', 'a superadmin makes another');
SELECT is(pg_temp.change('second', 'first', 'ADMIN'), 'ok', 'who may then unmake the first');
SELECT is(pg_temp.change('first', 'second', 'USER'), 'forbidden', 'which has lost the right that moment');
SELECT is(user_remove(pg_temp.id('second'), 'USER', pg_temp.id('pending')), 'ok', 'users are deleted');
SELECT is(pg_temp.id('pending'), NULL, 'and are gone');

-- ---- tokens ----

SELECT is(tokens_from > extract(epoch FROM clock_timestamp()) - 1, true, 'a changed role kills the tokens of before') FROM users WHERE email = 'first@example.com';
SELECT is(tokens_from, 0::bigint, 'another change does not') FROM users WHERE email = 'admin@example.com';
SELECT is(next_tokens_from(5000000000), 5000000001, 'the next second is always a later one');

-- ---- assignments ----

INSERT INTO agents (agent_id, agent_name) VALUES ('p-agent', 'p-agent'), ('q-agent', 'Given');
SELECT is(outcome || (assignment ->> 'agent_id'), 'okp-agent', 'an agent is assigned') FROM assignment_add(pg_temp.id('second'), 'p-agent');
SELECT is(outcome, 'taken', 'once') FROM assignment_add(pg_temp.id('second'), 'p-agent');
SELECT is(outcome, 'no_agent', 'if there is one') FROM assignment_add(pg_temp.id('second'), 'nobody');
SELECT is(outcome, 'no_user', 'to somebody') FROM assignment_add(gen_random_uuid(), 'p-agent');
SELECT pg_temp.change('second', 'first', 'SUPERADMIN') = 'ok' AND user_remove(pg_temp.id('first'), 'USER', pg_temp.id('second')) = 'ok' AS removed \gset
SELECT is_empty('SELECT FROM user_agents', 'assignments go with their user');

-- ---- logins ----

CREATE FUNCTION pg_temp.attempt(account text DEFAULT 'a', address text DEFAULT 'x') RETURNS integer LANGUAGE sql AS $$
    SELECT wait_seconds FROM frontdesk.login_begin('first@example.com', account::bytea, address::bytea)
$$;
SELECT is(ROW(wait_seconds, user_password_hash, user_role, user_status)::text, '(0,h1,SUPERADMIN,APPROVED)', 'a login begins with what it takes to check it')
FROM login_begin('first@example.com', 'f', 'f');
SELECT is(ROW(wait_seconds, user_id, user_password_hash)::text, '(0,,)', 'which is nothing when there is nobody') FROM login_begin('no@example.com', 'n', 'n');
SELECT ok(issued_at >= u.tokens_from, 'a new token is never one that is dead')
FROM login_begin('first@example.com', 'f', 'f'), users AS u WHERE u.email = 'first@example.com';
SELECT is((SELECT array_agg(pg_temp.attempt()) FROM generate_series(1, 12)), '{0,0,0,0,0,0,0,0,0,0,1,1}', 'the tenth attempt at an account makes the next one wait');
SELECT is((SELECT attempts FROM login_attempts WHERE subject = 'a'), 10, 'one that is refused does not count');
SELECT is(pg_temp.attempt('b', 'x'), 0, 'another account from there does not wait');
UPDATE login_attempts SET refused_until = '-infinity' WHERE subject = 'a';
SELECT is(ARRAY[pg_temp.attempt(), pg_temp.attempt()], '{0,2}', 'the pause doubles');
UPDATE login_attempts SET refused_until = '-infinity', attempts = 500 WHERE subject = 'a';
SELECT is(ARRAY[pg_temp.attempt(), pg_temp.attempt()], '{0,900}', 'up to a quarter of an hour');
UPDATE login_attempts SET last_at = now() - interval '25 hours', refused_until = '-infinity' WHERE subject = 'a';
SELECT is(ARRAY[pg_temp.attempt(), pg_temp.attempt()], '{0,0}', 'and is forgotten after a day');
SELECT is(login_end('a', 'x', true)::text, '', 'a success');
SELECT is_empty($$SELECT FROM login_attempts WHERE subject = 'a'$$, 'clears its account');
SELECT isnt((SELECT attempts FROM login_attempts WHERE subject = 'x'), 0, 'but not what else came from its address');
SELECT is((SELECT array_agg(pg_temp.attempt('c' || n, 'y')) FROM generate_series(1, 51) AS n), array_fill(0, ARRAY[50]) || 1, 'an address has fifty attempts before it waits');
SELECT is((SELECT count(*) FROM login_attempts WHERE subject = 'c51' AND attempts > 0), 0::bigint, 'at whatever account');

-- ---- names of agents ----

SELECT is(send('{"event":"call_started","call":{"call_id":"p1","agent_id":"p-agent","agent_name":"Retell''s"}}'), 'inserted', 'an event that names');
SELECT is((SELECT agent_name FROM agents WHERE agent_id = 'p-agent'), 'Retell''s', 'an agent without a name gives it one');
UPDATE agents SET agent_name = 'p-agent', named_by_hand = true WHERE agent_id = 'p-agent';
SELECT send('{"event":"call_started","call":{"call_id":"p2","agent_id":"p-agent","agent_name":"Retell''s"}}') = 'inserted' AS sent \gset
SELECT is((SELECT agent_name FROM agents WHERE agent_id = 'p-agent'), 'p-agent', 'one that was named by hand keeps that name');

SELECT * FROM finish();
ROLLBACK;
