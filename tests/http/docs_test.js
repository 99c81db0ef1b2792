// The pages for people: what they name is there.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { frontdesk } from './harness.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const read = (name) => fs.readFileSync(path.join(ROOT, name), 'utf8');
const pages = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.md'], { cwd: ROOT, encoding: 'utf8' }).trim().split('\n').filter((name) => fs.existsSync(path.join(ROOT, name)));

// As GitHub makes them of headings.
const anchors = (text) => new Set([...text.replace(/^( {4}|```)[^\n]*$/gm, '').matchAll(/^#+ (.*)$/gm)].map(([, title]) => title.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-')));

test('every link between the pages leads somewhere, to its heading too', () => {
  assert.ok(pages.length > 5);
  for (const page of pages)
    for (const [, target] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target) || (page === 'docker/API.md' && target.startsWith('#'))) continue; // its own are openapi_test.js's
      const [file, anchor] = target.split('#');
      const where = file ? path.join(path.dirname(page), file) : page;
      assert.ok(fs.existsSync(path.join(ROOT, where)), `${page}: ${target}`);
      if (anchor) assert.ok(anchors(read(where)).has(anchor), `${page}: ${target}`);
    }
});

test('the front page leads to every other page', () => {
  const front = read('README.md');
  for (const page of ['docker/API.md', 'docker/RUNBOOK.md', 'docker/CHANGELOG.md', '.github/SECURITY.md', 'sql/analytics/README.md']) assert.ok(front.includes(`](${page})`), page);
});

test('every test that SECURITY names for a claim is there under that title', () => {
  let named = 0;
  for (const [, file, titles] of read('.github/SECURITY.md').matchAll(/`(tests\/[^`]+\.js)`:((?:,? "[^"]+")+)/g)) {
    const text = read(file);
    for (const [, title] of titles.matchAll(/"([^"]+)"/g)) {
      named++;
      assert.ok(text.includes(`test('${title}`), `${file}: ${title}`);
    }
  }
  assert.ok(named > 15);
});

test('the files that pages name are in the tree', () => {
  for (const page of pages)
    for (const [, name] of read(page).matchAll(/`((?:server|sql|tests|docker|pg_extension)\/[\w./-]+?)\/?`/g))
      if (!/secrets|tls|\.dump$/.test(name)) assert.ok(fs.existsSync(path.join(ROOT, name)), `${page}: ${name}`);
});

test('the changelog begins with the version of this tree, program and extension', async () => {
  const log = read('docker/CHANGELOG.md');
  const versions = [...log.matchAll(/^## \[(\d+)\.(\d+)\.(\d+)\] - (not released|\d{4}-\d\d-\d\d)$/gm)];
  assert.equal(versions.length, [...log.matchAll(/^## /gm)].length);
  const [[, major, minor, patch]] = versions;
  assert.equal((await frontdesk(['version'], { PATH: process.env.PATH })).stdout, `frontdesk ${major}.${minor}.${patch}\n`);
  assert.match(read('pg_extension/frontdesk.control'), new RegExp(`^default_version = '${major}\\.${minor}'$`, 'm'));
  for (const [, heading] of log.matchAll(/^### (.*)$/gm)) assert.ok(['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security'].includes(heading), heading);
  const released = fs.readdirSync(path.join(ROOT, 'sql/releases'));
  for (const [, a, b, , date] of versions) assert.equal(released.includes(`${a}.${b}`), date !== 'not released', `${a}.${b}`);
});

test('README lists every setting, in the order of the alphabet, and env.example has a line for each', () => {
  const settings = [...read('server/base/config.c').matchAll(/^ {4}\{\.name = "([A-Z_]+)"/gm)].map(([, name]) => name);
  assert.ok(settings.length > 25);
  const table = read('README.md').split('\n## Settings\n')[1].split('\n## ')[0];
  const rows = [...table.matchAll(/^\| ((?:`[A-Z_]+`(?:, )?)+) \|/gm)].map(([, names]) => names.replaceAll('`', '').split(', '));
  assert.deepEqual(rows.flat().sort(), [...settings].sort());
  assert.deepEqual(rows.map(([first]) => first), rows.map(([first]) => first).sort());
  const example = read('env.example');
  for (const name of settings) assert.match(example, new RegExp(`^#? ?${name}=`, 'm'), name);
});
