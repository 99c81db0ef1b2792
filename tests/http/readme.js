// The commands of README.md and the other pages, to be run as they stand there.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { promisify } from 'node:util';

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
