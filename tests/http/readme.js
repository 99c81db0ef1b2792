// The commands of README.md, run as they stand there.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { promisify } from 'node:util';

const readme = fs.readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

/** Runs a command line of README.md with these variables; it must stand there as it is. */
export async function asDocumented(line, env, cwd) {
  assert.ok(readme.includes(line), `README.md says: ${line}`);
  await promisify(execFile)('bash', ['-c', line], { cwd, env: { PATH: process.env.PATH, LANG: 'C.UTF-8', ...env }, timeout: 120_000 });
}
