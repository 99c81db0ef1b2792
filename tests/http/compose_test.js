// docker/compose.yaml cannot be run without an engine, so that what it names is looked up: settings,
// secrets, build targets, services and files must be there where they are used.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file) => fs.readFileSync(path.join(root, file), 'utf8');
const text = read('docker/compose.yaml');
const [head, body] = [text.match(/^(#.*\n)+/)[0], text.replace(/^(#.*\n)+/, '')];

/** The block below a line of the top level: `name:`. */
const section = (name) => body.split(/^(?=\S)/m).find((part) => part.startsWith(`${name}:`));
const names = (part, indent) => [...part.matchAll(new RegExp(`^ {${indent}}(\\w+):`, 'gm'))].map((m) => m[1]);
const listed = (pattern) => [...body.matchAll(pattern)].flatMap((m) => m[1].split(',').map((s) => s.trim()));
const sorted = (list) => [...new Set(list)].sort();

test('every secret that a service is given is declared, and made by the commands at its head', () => {
  const declared = names(section('secrets'), 2);
  assert.deepEqual(sorted(listed(/^ +secrets: \[(.*)\]/gm)), sorted(declared));
  for (const [, name, file] of section('secrets').matchAll(/^ {2}(\w+): \{file: (\S+)\}/gm)) assert.equal(file, `secrets/${name}`);
  for (const name of declared) assert.match(head, new RegExp(`\\b${name}\\b`), `the head says how ${name} comes to be`);
});

test('every variable is a setting, and a file that one names is a secret of its service', () => {
  const example = read('env.example');
  const variables = [...body.matchAll(/\b([A-Z][A-Z_]+?)(_FILE)?: (\S+?)[}\n]/g)].filter(([, name]) => name !== 'ALL');
  assert.ok(variables.length >= 7);
  for (const [, name, isFile, value] of variables) {
    assert.match(example, new RegExp(`^#? ?${name}=`, 'm'), `${name} is in env.example`);
    if (isFile) assert.ok(names(section('secrets'), 2).includes(value.replace('/run/secrets/', '')), value);
  }
});

test('targets, services, networks, volumes and files that are named are there', () => {
  const dockerfile = read('docker/Dockerfile');
  for (const target of listed(/target: (\w+)/g)) assert.match(dockerfile, new RegExp(`AS ${target}$`, 'm'));
  const services = names(section('services'), 2);
  for (const service of listed(/depends_on: \{(\w+):/g)) assert.ok(services.includes(service), service);
  assert.deepEqual(sorted(listed(/^ +networks: \[(.*)\]/gm)), sorted(names(section('networks'), 2)));
  const [, upstream] = /server (\w+):3000/.exec(read('docker/nginx.conf'));
  assert.ok(services.includes(upstream), `nginx passes on to ${upstream}`);
  for (const [, mount] of body.matchAll(/^ +- (\.\/\S+?):/gm))
    if (mount !== './tls') assert.ok(fs.existsSync(path.join(root, 'docker', mount)), mount);
  assert.match(dockerfile, /^VOLUME \/data$/m);
  assert.match(body, /volumes: \["data:\/data"\]/);
  for (const [, password] of read('docker/database').matchAll(/(\w+)_PASSWORD_FILE {2,}/g))
    assert.ok(names(section('secrets'), 2).includes(`${password.toLowerCase()}_password`));
});
