// Prometheus' text format, read strictly.
import assert from 'node:assert/strict';
import { request } from './harness.js';

const SAMPLE = /^([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? (-?\d+(?:\.\d+)?)$/i;
const LABEL = /^([a-z_][a-z0-9_]*)="([^"\\\n]*)"$/i;

/** Scrapes a server: {families: Map(name → {help, type}), samples: [{name, labels, value}], value(name, labels)}. */
export async function metricsOf(server) {
  const page = await request(server, 'GET', '/metrics', { port: server.adminPort });
  assert.equal(page.status, 200);
  const families = new Map();
  const samples = [];
  for (const line of page.text.trimEnd().split('\n')) {
    const [, kind, name, rest] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (kind) {
      families.set(name, { ...families.get(name), [kind.toLowerCase()]: rest });
      continue;
    }
    const found = SAMPLE.exec(line);
    assert.ok(found, `a sample: ${line}`);
    const labels = Object.fromEntries((found[2] ?? '').split(',').filter(Boolean).map((text) => {
      const label = LABEL.exec(text);
      assert.ok(label, `a label: ${text} in ${line}`);
      return label.slice(1);
    }));
    assert.ok([...families.keys()].some((family) => found[1].startsWith(family)), `${found[1]} is described first`);
    samples.push({ name: found[1], labels, value: Number(found[3]) });
  }
  const value = (name, labels = {}) =>
    samples.find((s) => s.name === name && Object.entries(labels).every(([k, v]) => s.labels[k] === v))?.value;
  return { families, samples, value };
}
