-- What must happen at once, or not at all, however many servers and people act at the same time.
-- Each function takes its lock before it looks, so that what it decides on is still true when it
-- writes. What needs no lock is plain SQL of the server (server/db/statements.c).
--
-- A function that may refuse says so in `outcome`: ok, or one word for why not.

CREATE FUNCTION frontdesk.iso_time(t timestamptz)
RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

COMMENT ON FUNCTION frontdesk.iso_time(timestamptz) IS 'A time as ISO 8601, UTC, with milliseconds. Null for null.';

CREATE FUNCTION frontdesk.user_json(u frontdesk.users)
RETURNS json LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT json_build_object('id', u.id, 'email', u.email, 'name', u.name, 'phone', u.phone, 'role', u.role,
        'status', u.status, 'all_agents', u.all_agents, 'created_at', frontdesk.iso_time(u.created_at),
        'updated_at', frontdesk.iso_time(u.updated_at))
$$;

COMMENT ON FUNCTION frontdesk.user_json(frontdesk.users) IS 'A user as the API shows it: without anything of the password.';

-- The second from which on a user's new tokens count, so that all that were issued before are dead.
-- Tokens carry whole seconds, so it is the next one, and never one that was used before.
CREATE FUNCTION frontdesk.next_tokens_from(tokens_from bigint)
RETURNS bigint LANGUAGE sql VOLATILE STRICT
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT greatest(tokens_from, floor(extract(epoch FROM clock_timestamp()))::bigint) + 1
$$;

COMMENT ON FUNCTION frontdesk.next_tokens_from(bigint) IS 'The value of users.tokens_from that kills every token issued so far.';

-- Held by whatever changes who is a superadmin. The number is the ASCII of "frontusr".
CREATE FUNCTION frontdesk.lock_people()
RETURNS void LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pg_advisory_xact_lock(7382085259404604274)
$$;

COMMENT ON FUNCTION frontdesk.lock_people() IS 'Waits until no other transaction changes who may what; held to the end of this one.';

CREATE FUNCTION frontdesk.user_add(
    new_email text, new_name text, new_phone text, new_password_hash text, new_role text, new_status text, new_all_agents boolean,
    OUT outcome text, OUT user_id uuid, OUT user_role text, OUT issued_at bigint, OUT profile json)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    fresh boolean;
BEGIN
    PERFORM frontdesk.lock_people();
    IF new_role IS NULL THEN
        new_role := CASE WHEN EXISTS (SELECT FROM frontdesk.users) THEN 'USER' ELSE 'SUPERADMIN' END;
    END IF;
    -- Writes a row in either case: how long it takes does not tell who was there already.
    INSERT INTO frontdesk.users AS u (email, name, phone, password_hash, role, status, all_agents)
    VALUES (new_email, new_name, new_phone, new_password_hash, new_role, new_status, new_all_agents)
    ON CONFLICT (email) DO UPDATE SET email = excluded.email
    RETURNING u.xmax = 0, u.id, frontdesk.user_json(u) INTO fresh, user_id, profile;
    IF fresh THEN
        outcome := 'ok';
        user_role := new_role;
        issued_at := floor(extract(epoch FROM clock_timestamp()));
    ELSE
        outcome := 'taken';
        user_id := NULL;
        profile := NULL;
    END IF;
END
$$;

COMMENT ON FUNCTION frontdesk.user_add(text, text, text, text, text, text, boolean) IS
'Makes a user. A null role: SUPERADMIN for the first user there ever is, else USER. outcome: ok, or taken when the e-mail is; issued_at: the second that a token for it may carry.';

-- Why `actor` may not do this to `was`, or null. Who acts is looked up again: a right that was taken
-- away a moment ago is gone. A null actor acts by `actor_role`. Null for new_role or new_status: it goes.
CREATE FUNCTION frontdesk.user_refusal(actor uuid, actor_role text, was frontdesk.users, new_role text, new_status text)
RETURNS text LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF actor IS NOT NULL THEN
        actor_role := (SELECT u.role FROM frontdesk.users AS u WHERE u.id = actor AND u.status = 'APPROVED');
    END IF;
    IF actor_role IS DISTINCT FROM 'SUPERADMIN'
       AND (actor_role IS DISTINCT FROM 'ADMIN' OR was.role = 'SUPERADMIN' OR new_role = 'SUPERADMIN' OR new_status <> was.status) THEN
        RETURN 'forbidden';
    END IF;
    IF actor = was.id AND (new_role IS DISTINCT FROM was.role OR new_status IS DISTINCT FROM was.status) THEN
        RETURN 'self';
    END IF;
    IF was.role = 'SUPERADMIN' AND was.status = 'APPROVED'
       AND (new_role IS DISTINCT FROM 'SUPERADMIN' OR new_status IS DISTINCT FROM 'APPROVED')
       AND NOT EXISTS (SELECT FROM frontdesk.users AS u WHERE u.role = 'SUPERADMIN' AND u.status = 'APPROVED' AND u.id <> was.id) THEN
        RETURN 'last';
    END IF;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION frontdesk.user_refusal(uuid, text, frontdesk.users, text, text) IS
'Why somebody may not change a user: forbidden, self (own role, own status, own removal), last (of the superadmins); null when they may. Call under lock_people().';

CREATE FUNCTION frontdesk.user_change(
    actor uuid, actor_role text, target uuid, new_name text, new_role text, new_status text, new_all_agents boolean,
    OUT outcome text, OUT profile json)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    was frontdesk.users;
BEGIN
    PERFORM frontdesk.lock_people();
    SELECT * INTO was FROM frontdesk.users AS u WHERE u.id = target FOR UPDATE;
    IF NOT FOUND THEN
        outcome := 'missing';
        RETURN;
    END IF;
    new_role := coalesce(new_role, was.role);
    new_status := coalesce(new_status, was.status);
    outcome := coalesce(frontdesk.user_refusal(actor, actor_role, was, new_role, new_status), 'ok');
    IF outcome = 'ok' THEN
        UPDATE frontdesk.users AS u
        SET name = coalesce(new_name, u.name), role = new_role, status = new_status,
            all_agents = coalesce(new_all_agents, u.all_agents), updated_at = clock_timestamp(),
            tokens_from = CASE WHEN (new_role, new_status) = (was.role, was.status) THEN u.tokens_from
                               ELSE frontdesk.next_tokens_from(u.tokens_from) END
        WHERE u.id = target
        RETURNING frontdesk.user_json(u) INTO profile;
    END IF;
END
$$;

COMMENT ON FUNCTION frontdesk.user_change(uuid, text, uuid, text, text, text, boolean) IS
'Changes a user; null leaves a value as it is. A changed role or status kills the user''s tokens. actor: who asks, null for one who is no user and has actor_role. outcome: ok, missing, or a word of user_refusal().';

CREATE FUNCTION frontdesk.user_remove(actor uuid, actor_role text, target uuid, OUT outcome text)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    was frontdesk.users;
BEGIN
    PERFORM frontdesk.lock_people();
    SELECT * INTO was FROM frontdesk.users AS u WHERE u.id = target FOR UPDATE;
    IF NOT FOUND THEN
        outcome := 'missing';
        RETURN;
    END IF;
    outcome := coalesce(frontdesk.user_refusal(actor, actor_role, was, NULL, NULL), 'ok');
    IF outcome = 'ok' THEN
        DELETE FROM frontdesk.users AS u WHERE u.id = target;
    END IF;
END
$$;

COMMENT ON FUNCTION frontdesk.user_remove(uuid, text, uuid) IS 'Deletes a user and its assignments. Arguments and outcomes as user_change().';

-- The seconds to wait after so many attempts without a success: none at first, then doubling up to a
-- quarter of an hour. Never for ever, so that nobody can lock another one out.
CREATE FUNCTION frontdesk.login_pause(attempts integer, free integer)
RETURNS interval LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN attempts < free THEN interval '0'
                ELSE least(interval '15 minutes', interval '1 second' * 2 ^ least(attempts - free, 10)) END
$$;

COMMENT ON FUNCTION frontdesk.login_pause(integer, integer) IS 'How long logins are refused after the last of so many attempts, of which `free` cost nothing.';

-- Counts `step` attempts of a subject, 1 or -1. An account has 10 free attempts; an address, behind
-- which a whole office may sit, 50.
CREATE FUNCTION frontdesk.login_count(counted bytea, free integer, step integer)
RETURNS void LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE frontdesk.login_attempts AS l
    SET attempts = greatest(l.attempts + step, 0),
        last_at = clock_timestamp(),
        refused_until = clock_timestamp() + CASE WHEN step < 0 THEN interval '0' ELSE frontdesk.login_pause(l.attempts + step, free) END
    WHERE l.subject = counted
$$;

COMMENT ON FUNCTION frontdesk.login_count(bytea, integer, integer) IS 'Adds to the attempts of an account or an address.';

-- An attempt counts as failed before the password is looked at, and is taken back if it was right:
-- so a hundred guesses sent at once are a hundred attempts.
CREATE FUNCTION frontdesk.login_begin(
    login_email text, account bytea, address bytea,
    OUT wait_seconds integer, OUT user_id uuid, OUT user_password_hash text, OUT user_role text, OUT user_status text, OUT issued_at bigint)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    until timestamptz;
    moment timestamptz;
BEGIN
    -- These counts may lose half a second to a crash of the database; a login need not wait for its disk.
    PERFORM set_config('synchronous_commit', 'off', true);
    INSERT INTO frontdesk.login_attempts (subject, attempts, last_at, refused_until)
    VALUES (account, 0, clock_timestamp(), '-infinity'), (address, 0, clock_timestamp(), '-infinity')
    ON CONFLICT DO NOTHING;
    PERFORM FROM frontdesk.login_attempts AS l WHERE l.subject = account FOR UPDATE;
    PERFORM FROM frontdesk.login_attempts AS l WHERE l.subject = address FOR UPDATE;
    moment := clock_timestamp();
    UPDATE frontdesk.login_attempts AS l SET attempts = 0
    WHERE l.subject IN (account, address) AND l.last_at < moment - interval '1 day';
    SELECT max(l.refused_until) INTO until FROM frontdesk.login_attempts AS l WHERE l.subject IN (account, address);
    IF until > moment THEN
        wait_seconds := ceil(extract(epoch FROM until - moment));
        RETURN;
    END IF;
    PERFORM frontdesk.login_count(account, 10, 1), frontdesk.login_count(address, 50, 1);
    wait_seconds := 0;
    SELECT u.id, u.password_hash, u.role, u.status, greatest(u.tokens_from, floor(extract(epoch FROM moment))::bigint)
    INTO user_id, user_password_hash, user_role, user_status, issued_at
    FROM frontdesk.users AS u WHERE u.email = login_email;
END
$$;

COMMENT ON FUNCTION frontdesk.login_begin(text, bytea, bytea) IS
'Starts a login: counts the attempt and gives what it takes to check it; the user''s columns are null when there is none. wait_seconds above 0: refused for so long, and nothing was counted.';

CREATE FUNCTION frontdesk.login_end(account bytea, address bytea, succeeded boolean)
RETURNS void LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    IF succeeded THEN
        DELETE FROM frontdesk.login_attempts AS l WHERE l.subject = account;
    ELSE
        PERFORM frontdesk.login_count(account, 10, -1);
    END IF;
    PERFORM frontdesk.login_count(address, 50, -1);
END
$$;

COMMENT ON FUNCTION frontdesk.login_end(bytea, bytea, boolean) IS
'Takes an attempt back: it succeeded, which clears the account, or was never looked at. An address is only given back its one attempt, so that an account of one''s own does not buy more guesses at others.';

CREATE FUNCTION frontdesk.assignment_add(target uuid, agent text, OUT outcome text, OUT assignment json)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM FROM frontdesk.users AS u WHERE u.id = target FOR KEY SHARE;
    IF NOT FOUND THEN
        outcome := 'no_user';
    ELSIF NOT EXISTS (SELECT FROM frontdesk.agents AS a WHERE a.agent_id = agent) THEN
        outcome := 'no_agent';
    ELSE
        INSERT INTO frontdesk.user_agents AS ua (user_id, agent_id) VALUES (target, agent)
        ON CONFLICT DO NOTHING
        RETURNING json_build_object('user_id', ua.user_id, 'agent_id', ua.agent_id, 'created_at', frontdesk.iso_time(ua.created_at))
        INTO assignment;
        outcome := CASE WHEN FOUND THEN 'ok' ELSE 'taken' END;
    END IF;
END
$$;

COMMENT ON FUNCTION frontdesk.assignment_add(uuid, text) IS 'Assigns an agent to a user. outcome: ok, no_user, no_agent, or taken when it stands already.';

REVOKE ALL ON FUNCTION
    frontdesk.iso_time(timestamptz),
    frontdesk.user_json(frontdesk.users),
    frontdesk.next_tokens_from(bigint),
    frontdesk.lock_people(),
    frontdesk.user_add(text, text, text, text, text, text, boolean),
    frontdesk.user_refusal(uuid, text, frontdesk.users, text, text),
    frontdesk.user_change(uuid, text, uuid, text, text, text, boolean),
    frontdesk.user_remove(uuid, text, uuid),
    frontdesk.login_pause(integer, integer),
    frontdesk.login_count(bytea, integer, integer),
    frontdesk.login_begin(text, bytea, bytea),
    frontdesk.login_end(bytea, bytea, boolean),
    frontdesk.assignment_add(uuid, text)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    frontdesk.iso_time(timestamptz),
    frontdesk.user_json(frontdesk.users),
    frontdesk.next_tokens_from(bigint),
    frontdesk.lock_people(),
    frontdesk.user_add(text, text, text, text, text, text, boolean),
    frontdesk.user_refusal(uuid, text, frontdesk.users, text, text),
    frontdesk.user_change(uuid, text, uuid, text, text, text, boolean),
    frontdesk.user_remove(uuid, text, uuid),
    frontdesk.login_pause(integer, integer),
    frontdesk.login_count(bytea, integer, integer),
    frontdesk.login_begin(text, bytea, bytea),
    frontdesk.login_end(bytea, bytea, boolean),
    frontdesk.assignment_add(uuid, text)
    TO frontdesk_server;
