// Upgrades of the extension: a version that is installed directly and the same version that is reached
// from each older one by its steps must make the same objects, with the same definitions, rights and
// comments. The comparison itself is tested too: a step that forgets something is found.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startCluster } from './harness.js';

let cluster;
before(async () => {
  cluster = await startCluster();
});
after(() => cluster?.destroy());

/** An address of another database of the cluster. */
const urlOf = (database) => cluster.urls.SUPERUSER_DATABASE_URL.replace('///frontdesk?', `///${database}?`);

/** A new database with the extension at `version`, as sql/cluster prepares one. */
async function install(database, version) {
  await cluster.exec(`CREATE DATABASE ${database} OWNER frontdesk_owner`);
  const run = (sql) => cluster.exec(sql, { url: urlOf(database) });
  await run('CREATE SCHEMA frontdesk AUTHORIZATION frontdesk_owner');
  await run(`CREATE EXTENSION frontdesk VERSION '${version}'`);
  return run;
}

// Everything that the extension made, as text: each member's identity and what the catalogs say of it,
// with names in the place of oids.
const CATALOG = `
  SELECT format('%s %s', i.type, i.identity) AS object, jsonb_build_object(
      'comment', obj_description(d.objid, d.classid::regclass::text::name),
      'function', (
          SELECT jsonb_build_object('definition', CASE p.prokind WHEN 'a' THEN NULL ELSE pg_get_functiondef(p.oid) END,
                     'rights', p.proacl::text, 'owner', p.proowner::regrole, 'labels', concat(p.prokind, p.provolatile, p.proisstrict, p.proparallel, p.prosecdef))
          FROM pg_proc AS p WHERE d.classid = 'pg_proc'::regclass AND p.oid = d.objid),
      'aggregate', (
          SELECT jsonb_build_object('steps', ARRAY[a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn]::text[],
                     'states', ARRAY[a.aggtranstype::regtype, a.aggmtranstype::regtype]::text[], 'first', ARRAY[a.agginitval, a.aggminitval],
                     'modes', concat(a.aggkind, a.aggnumdirectargs, a.aggfinalextra, a.aggmfinalextra, a.aggfinalmodify, a.aggmfinalmodify, a.aggtransspace, a.aggmtransspace))
          FROM pg_aggregate AS a WHERE d.classid = 'pg_proc'::regclass AND a.aggfnoid = d.objid),
      'type', (
          SELECT jsonb_build_object('form', concat_ws(' ', t.typlen, t.typbyval, t.typtype, t.typcategory, t.typispreferred, t.typalign, t.typstorage, t.typdefault),
                     'functions', ARRAY[t.typinput, t.typoutput, t.typreceive, t.typsend, t.typmodin, t.typmodout, t.typanalyze, t.typsubscript]::text[], 'rights', t.typacl::text)
          FROM pg_type AS t WHERE d.classid = 'pg_type'::regclass AND t.oid = d.objid),
      'operator', (
          SELECT jsonb_build_object('function', o.oprcode::text, 'others', ARRAY[o.oprcom, o.oprnegate]::regoperator[]::text[], 'result', o.oprresult::regtype,
                     'estimates', ARRAY[o.oprrest, o.oprjoin]::text[], 'hashes', o.oprcanhash, 'merges', o.oprcanmerge)
          FROM pg_operator AS o WHERE d.classid = 'pg_operator'::regclass AND o.oid = d.objid),
      'operator class', (
          SELECT jsonb_build_object('default', c.opcdefault, 'keeps', c.opckeytype::regtype,
                     'operators', (SELECT jsonb_agg(concat_ws(' ', m.amopstrategy, m.amopopr::regoperator) ORDER BY m.amopstrategy) FROM pg_amop AS m WHERE m.amopfamily = c.opcfamily),
                     'support', (SELECT jsonb_agg(concat_ws(' ', s.amprocnum, s.amproc) ORDER BY s.amprocnum) FROM pg_amproc AS s WHERE s.amprocfamily = c.opcfamily))
          FROM pg_opclass AS c WHERE d.classid = 'pg_opclass'::regclass AND c.oid = d.objid)) AS says
  FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid, LATERAL pg_identify_object(d.classid, d.objid, 0) AS i
  WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'frontdesk'`;

const catalog = async (run) => {
  const rows = JSON.parse(await run(`SELECT json_object_agg(object, says ORDER BY object) FROM (${CATALOG}) AS c`));
  return Object.entries(rows);
};

/** Objects of which two catalogs say different things. */
const differing = (a, b) => {
  const [one, other] = [new Map(a), new Map(b)];
  return [...new Set([...one.keys(), ...other.keys()])].filter((k) => JSON.stringify(one.get(k)) !== JSON.stringify(other.get(k))).sort();
};

test('a version reached by steps is the version installed directly', async () => {
  const current = (await cluster.value(`SELECT default_version FROM pg_available_extensions WHERE name = 'frontdesk'`));
  const direct = await catalog(await install('direct', current));
  assert.ok(direct.length > 40, 'the catalog is read');
  const older = await cluster.rows(`
    SELECT v.version FROM pg_available_extension_versions AS v JOIN pg_extension_update_paths('frontdesk') AS p ON p.source = v.version AND p.target = '${current}'
    WHERE v.name = 'frontdesk' AND p.path IS NOT NULL AND v.version <> '${current}'`);
  for (const [n, { version }] of older.entries()) {
    const run = await install(`stepped${n}`, version);
    await run('ALTER EXTENSION frontdesk UPDATE');
    assert.deepEqual(differing(await catalog(run), direct), [], `from ${version}`);
  }
  // What is reached by no step at all is the same, too: the comparison sees nothing that differs by chance.
  assert.deepEqual(differing(await catalog(await install('again', current)), direct), []);
});

test('a step that forgets or adds something is found by the comparison', async () => {
  const current = (await cluster.value(`SELECT default_version FROM pg_available_extensions WHERE name = 'frontdesk'`));
  const run = await install('synthetic', current);
  const before = await catalog(run);
  const steps = [
    [`COMMENT ON FUNCTION frontdesk.extension_version() IS 'another'`, ['function frontdesk.extension_version()']],
    ['ALTER FUNCTION frontdesk.total(frontdesk.call_stats) VOLATILE', ['function frontdesk.total(frontdesk.call_stats)']],
    ['GRANT EXECUTE ON FUNCTION frontdesk.stats_json(text[]) TO PUBLIC', ['function frontdesk.stats_json(pg_catalog.text[])']],
    [`CREATE FUNCTION frontdesk.extra() RETURNS int LANGUAGE sql RETURN 1; ALTER EXTENSION frontdesk ADD FUNCTION frontdesk.extra()`, ['function frontdesk.extra()']],
    ['ALTER EXTENSION frontdesk DROP FUNCTION frontdesk.overview_json(text[])', ['function frontdesk.overview_json(pg_catalog.text[])']],
    ['ALTER TYPE frontdesk.call_stats SET (STORAGE = extended)', ['type frontdesk.call_stats']],
    [`COMMENT ON OPERATOR frontdesk.+ (frontdesk.call_stats, frontdesk.call_stats) IS 'plus'`, ['operator frontdesk.+(frontdesk.call_stats,frontdesk.call_stats)']],
  ];
  let last = before;
  for (const [step, objects] of steps) {
    await run(step);
    const now = await catalog(run);
    assert.deepEqual(differing(last, now), objects, step);
    last = now;
  }
});
