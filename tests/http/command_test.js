// The command line as its callers meet it: what is accepted is explained, completed, and in the man page.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BIN, frontdesk, scratch } from './harness.js';

const DOCKER = fileURLToPath(new URL('../../docker/', import.meta.url));
const env = { PATH: process.env.PATH, LANG: 'C.UTF-8' }; // no settings: nothing is ever begun
const run = (args) => frontdesk(args, env);

async function helpOf(words) {
  const { code, stdout, stderr } = await run([...words, '--help']);
  assert.deepEqual([code, stderr], [0, ''], words.join(' '));
  return stdout;
}
const verbsOf = (help) => [...help.matchAll(/^ {2}([a-z]+)\b/gm)].map((m) => m[1]);
const optionsOf = (help) => [...help.matchAll(/^ {2}(--[a-z-]+)/gm)].map((m) => m[1]);

/** Every command that can be run, as its words: [['serve'], ['user', 'add'], …], with its help. */
const commands = [], groups = [];
before(async () => {
  const walk = async (words) => {
    const help = await helpOf(words);
    if (!/^usage: .* COMMAND \[options\]$/m.test(help)) return void commands.push({ words, help });
    groups.push({ words, help });
    for (const verb of verbsOf(help.split('Settings,')[0])) await walk([...words, verb]);
  };
  await walk([]);
});

test('every command of the contract is there', () => {
  assert.deepEqual(commands.map(({ words }) => words.join(' ')).sort(), ['check', 'key create', 'key list', 'key revoke', 'migrate', 'replay', 'routes', 'serve', 'sync', 'trigger',
    'user add', 'user approve', 'user disable', 'user list', 'user password', 'version']);
});

test('every help says how the command is called, what it takes and reads, and how it exits', () => {
  for (const { words, help } of commands) {
    const name = words.join(' ');
    assert.match(help, new RegExp(`^usage: frontdesk ${name}( |$)`, 'm'), name);
    assert.match(help, /^ {2}--help +this text$/m, name);
    assert.match(help, /^Exits with 0 when .+, with 1 when not,\nand with 2 when the command line makes no sense\.$/m, name);
    for (const line of help.split('\n')) assert.ok(line.length <= 110, `${name}: ${line}`);
    const usage = help.slice(0, help.indexOf('\n\n'));
    for (const option of optionsOf(help)) if (option !== '--help') assert.ok(usage.includes(`[${option}`), `${name}: ${option} is in the usage`);
    if (!['routes', 'version'].includes(name)) assert.match(help, /^Settings, from the environment/m, name);
    for (const [, example] of help.split('Examples:\n')[1]?.matchAll(/^ {2}(.*frontdesk .*)$/gm) ?? []) {
      assert.ok(example.includes(`frontdesk ${name}`), example);
      for (const [option] of example.matchAll(/--[a-z-]+/g)) assert.ok(optionsOf(help).includes(option), example);
    }
  }
  for (const { words, help } of groups)
    for (const { words: sub, help: own } of commands)
      if (words.length && sub[0] === words[0]) for (const option of optionsOf(own)) assert.ok(option === '--help' || help.includes(`    ${option}`), `${words}: ${option}`);
});

test('an option is accepted where the help names it, and refused by name everywhere else', async () => {
  const all = [...new Set(commands.flatMap(({ help }) => optionsOf(help))), '--nonsense', '--rol', '-x'];
  assert.ok(all.length > 15);
  for (const { words, help } of commands)
    for (const option of all) {
      if (option === '--help') continue;
      const { code, stdout, stderr } = await run([...words, `${option}=x`, '--nonsense']); // is wrong in any case, so that nothing runs
      assert.deepEqual([code, stdout], [2, ''], words.join(' '));
      assert.equal(/there is no option (\S+)/.exec(stderr)?.[1] === option, !optionsOf(help).includes(option), `${words.join(' ')} ${option}: ${stderr}`);
      assert.match(stderr, new RegExp(`^frontdesk ${words.join(' ')}: .*\nusage: frontdesk ${words.join(' ')}`));
    }
});

test('words that mean nothing, and values that are missing or not wanted, are named', async () => {
  const cases = [[['sync', 'now'], /`now` is one argument too many/], [['serve', 'x'], /`x` is one argument too many/], [['user', 'add'], /EMAIL is missing/],
    [['user', 'add', 'a@b.example', 'c@d.example'], /`c@d.example` is one/], [['sync', '--agent'], /--agent needs a value/], [['replay', '--dead=yes'], /--dead takes no value/],
    [['user', 'nonsense'], /frontdesk user: there is no command `nonsense`/], [['nonsense'], /^frontdesk: there is no command `nonsense`/], [['user'], /^usage: frontdesk user COMMAND/],
    [[], /^usage: frontdesk COMMAND/], [['user', 'approve', '--', '--help'], /`--help` is no e-mail/], [['trigger', '--calls', '1', '--', 'nonsense'], /no event called `nonsense`/]];
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await run(args);
    assert.deepEqual([code, stdout], [2, ''], args.join(' '));
    assert.match(stderr, message);
  }
  for (const args of [['-h'], ['user', '-h'], ['user', 'add', 'x', '--name', 'y', '--help']]) assert.match((await run(args)).stdout, /^usage: /);
});

/** What bash would offer after these words; the last one is under the cursor. */
function complete(...words) {
  const script = `. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _frontdesk; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const out = execFileSync('bash', ['--norc', '-c', script, 'bash', path.join(DOCKER, 'completion.bash'), BIN, ...words], { env, encoding: 'utf8' });
  return out.split('\n').filter(Boolean).sort();
}

test('bash completes the commands, and of each the options that it takes', () => {
  for (const { words, help } of groups) assert.deepEqual(complete(...words, ''), verbsOf(help.split('Settings,')[0]).sort());
  for (const { words, help } of commands) {
    assert.deepEqual(complete(...words, '--'), optionsOf(help).sort(), words.join(' '));
    const [option, values] = /^ {2}(--\S+) ([A-Z]+\|[A-Z|]+)/m.exec(help)?.slice(1) ?? [];
    if (option) assert.deepEqual(complete(...words, option, ''), values.split('|').sort());
  }
  assert.deepEqual(complete('tr'), ['trigger']);
  assert.deepEqual(complete('trigger', 'call_'), ['call_analyzed', 'call_ended', 'call_started']);
  assert.deepEqual(complete('sync', '--since', ''), []);
});

test('the man page holds every help, word for word, and formats without a warning', () => {
  const page = path.join(scratch(), 'frontdesk.1');
  fs.writeFileSync(page, execFileSync(path.join(DOCKER, 'manpage'), [BIN], { env }));
  const { stdout, stderr } = spawnSync('man', ['--warnings=all', '-l', page], { env: { ...env, MANWIDTH: '140' }, encoding: 'utf8' });
  assert.equal(stderr, '');
  const lines = stdout.split('\n').map((line) => line.trim());
  for (const { words, help } of [...groups, ...commands])
    for (const line of help.split('\n')) assert.ok(lines.includes(line.trim()), `${words.join(' ')}: ${line}`);
});
