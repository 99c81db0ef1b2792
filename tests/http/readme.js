// The commands of README.md and the other pages, to be run as they stand there.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { endAtExit, eventually, scratch } from './harness.js';

const page = (name) => fs.readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');
const readme = page('README.md');

/** Runs a command line of README.md with these variables; it must stand there as it is. */
export async function asDocumented(line, env, cwd) {
  assert.ok(readme.includes(line), `README.md says: ${line}`);
  await promisify(execFile)('bash', ['-c', line], { cwd, env: { PATH: process.env.PATH, LANG: 'C.UTF-8', ...env }, timeout: 120_000 });
}

/** The indented blocks of a page, each after an empty line: {section, line (its number), lines}. */
export function blocksOf(name) {
  const blocks = [];
  let block = null;
  let section = '';
  let previous = '';
  for (const [n, line] of page(name).split('\n').entries()) {
    if (/^#+ /.test(line)) section = line.replace(/^#+ /, '');
    if (line.startsWith('    ') && (block || previous === '')) {
      if (!block) blocks.push((block = { section, line: n + 1, lines: [] }));
      block.lines.push(line.slice(4));
    } else {
      block = null;
    }
    previous = line;
  }
  return blocks;
}

/**
 * One shell for many blocks: a variable of one is there in the next. psql is the superuser of a
 * cluster, and localhost's `ports` lead to others: {3000: 41234}. What it started ends with it.
 */
export class Shell {
  constructor({ cwd, env, superuser, ports }) {
    const home = scratch();
    fs.writeFileSync(path.join(home, '.curlrc'), Object.entries(ports).map(([from, to]) => `connect-to = "localhost:${from}:127.0.0.1:${to}"\n`).join(''));
    const url = new URL(superuser.urls.SUPERUSER_DATABASE_URL.replace('///', '//x/')).searchParams;
    this.said = '';
    this.blocks = 0;
    this.files = scratch();
    this.child = spawn('bash', ['--norc'], {
      cwd, stdio: ['pipe', 'pipe', 'inherit'], detached: true, // a group of its own
      env: { PATH: process.env.PATH, HOME: home, LANG: 'C.UTF-8', PGHOST: url.get('host'), PGPORT: url.get('port'), PGUSER: url.get('user'), ...env },
    });
    this.child.stdout.setEncoding('utf8').on('data', (text) => (this.said += text));
    this.end = () => {
      try {
        process.kill(-this.child.pid, 'SIGKILL');
      } catch {
        // it has ended
      }
    };
    endAtExit(this.child, this.end);
    this.child.unref();
    this.child.stdin.write('set -E -o pipefail\n');
  }

  /** What it printed, and which commands of it failed. */
  async run(text, input = '') {
    const file = path.join(this.files, String(++this.blocks));
    fs.writeFileSync(`${file}.sh`, `${text}\n`);
    fs.writeFileSync(`${file}.in`, input);
    fs.writeFileSync(`${file}.failed`, '');
    this.child.stdin.write(`trap 'echo "$BASH_COMMAND" >>${file}.failed' ERR; . ${file}.sh <${file}.in >${file}.out 2>${file}.err; trap - ERR; echo "done ${this.blocks}."\n`);
    await eventually(`the shell ends: ${text}`, () => this.said.includes(`done ${this.blocks}.`), 120_000);
    const [out, err, failed] = ['out', 'err', 'failed'].map((kind) => fs.readFileSync(`${file}.${kind}`, 'utf8'));
    return { out, err, failed };
  }
}
