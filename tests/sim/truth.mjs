// Compares the rows of a Frontdesk with the truth of a fake Retell, member by member.
import { isDeepStrictEqual } from 'node:util';

const COLUMNS = [
  'call_type', 'direction', 'from_number', 'to_number', 'call_status', 'start_timestamp', 'end_timestamp', 'duration_ms',
  'disconnection_reason', 'transcript', 'recording_url', 'agent_version', 'metadata', 'transcript_object', 'latency', 'agent_id',
];
const ANALYSIS = { call_summary: 'call_summary', user_sentiment: 'user_sentiment', call_successful: 'call_successful', in_voicemail: 'in_voicemail', custom_analysis_data: 'custom_analysis' };
const NOT_STORED = new Set([...COLUMNS, 'call_id', 'call_analysis', 'access_token']);

const QUERY = `SELECT call_id, ${COLUMNS.join(', ')}, call_summary, user_sentiment, call_successful, in_voicemail,
  custom_analysis, cost::float8 AS cost, details FROM frontdesk.calls`;

/** The words of utterances are stored once, in transcript_object. */
const withoutWords = (list) => list.map(({ words, ...rest }) => rest);

/** What a row should say of a call, as {name: value}; details are named details.<key>. */
function expected(call) {
  const row = {};
  for (const name of COLUMNS) row[name] = call[name] ?? null;
  for (const [key, name] of Object.entries(ANALYSIS)) row[name] = call.call_analysis?.[key] ?? null;
  row.cost = call.call_cost?.combined_cost ?? null;
  for (const [key, value] of Object.entries(call)) {
    if (NOT_STORED.has(key)) continue;
    row[`details.${key}`] = key === 'transcript_with_tool_calls' ? withoutWords(value) : value;
  }
  return row;
}

/**
 * Every difference, as sentences; none when the database says what Retell knows, of all calls.
 * `ignore` names values, `except(call_id, name)` those of some calls.
 */
export async function differences(cluster, fake, { ignore = [], except = () => false } = {}) {
  const rows = new Map((await cluster.rows(QUERY)).map((row) => [row.call_id, row]));
  const found = [];
  for (const [call_id, call] of fake.calls) {
    const row = rows.get(call_id);
    rows.delete(call_id);
    if (!row) {
      // Retell's list cannot be asked for calls that are only registered, and sends nothing of them.
      if (call.call_status !== 'registered') found.push(`${call_id} (${call.call_status}) is missing`);
      continue;
    }
    for (const [name, value] of Object.entries(expected(call))) {
      const stored = name.startsWith('details.') ? row.details[name.slice(8)] : row[name];
      if (!ignore.includes(name) && !except(call_id, name) && !isDeepStrictEqual(stored ?? null, value))
        found.push(`${call_id}: ${name} is ${JSON.stringify(stored)?.slice(0, 80)}, Retell says ${JSON.stringify(value)?.slice(0, 80)}`);
    }
  }
  for (const call_id of rows.keys()) found.push(`${call_id} is not a call of Retell's`);
  return found;
}
