// The typed filters of list-calls: every field with the types and operators that it takes. What
// Retell's API description does not have is an error, as there.

const strings = {
  eq: (a, b) => a === b, ne: (a, b) => a !== b, sw: (a, b) => a.startsWith(b),
  ew: (a, b) => a.endsWith(b), co: (a, b) => a.includes(b),
};
const numbers = {
  eq: (a, b) => a === b, ne: (a, b) => a !== b, gt: (a, b) => a > b, ge: (a, b) => a >= b,
  lt: (a, b) => a < b, le: (a, b) => a <= b,
};
const isText = (v) => typeof v === 'string';
const isNumber = (v) => typeof v === 'number' && Number.isFinite(v);
const isListOf = (check) => (v) => Array.isArray(v) && v.every(check);

// A value that a call lacks matches nothing, except that it is not equal to anything.
const types = {
  string: { ops: Object.keys(strings), valid: isText, match: (op, value, want) => isText(value) && strings[op](value, want) },
  number: { ops: Object.keys(numbers), valid: isNumber, match: (op, value, want) => isNumber(value) && numbers[op](value, want) },
  range: {
    ops: ['bt'], valid: (v) => isListOf(isNumber)(v) && v.length === 2,
    match: (_, value, [lo, hi]) => isNumber(value) && value >= lo && value <= hi,
  },
  enum: { ops: ['in'], valid: isListOf(isText), match: (_, value, want) => want.includes(value) },
  boolean: { ops: ['eq'], valid: (v) => typeof v === 'boolean', match: (_, value, want) => value === want },
};

const field = (name, ...allowed) => ({ value: (call) => call[name], allowed });
const analysis = (name, ...allowed) => ({ value: (call) => call.call_analysis?.[name], allowed });
const STATUSES = ['not_connected', 'ongoing', 'ended', 'error']; // registered cannot be asked for

const fields = {
  call_id: field('call_id', 'string', 'enum'),
  batch_call_id: field('batch_call_id', 'string'),
  call_status: { ...field('call_status', 'enum'), values: STATUSES },
  call_type: { ...field('call_type', 'enum'), values: ['web_call', 'phone_call'] },
  direction: { ...field('direction', 'enum'), values: ['inbound', 'outbound'] },
  disconnection_reason: field('disconnection_reason', 'enum'),
  from_number: field('from_number', 'string'),
  to_number: field('to_number', 'string'),
  start_timestamp: field('start_timestamp', 'number', 'range'),
  end_timestamp: field('end_timestamp', 'number', 'range'),
  duration_ms: field('duration_ms', 'number', 'range'),
  combined_cost: { value: (call) => call.call_cost?.combined_cost, allowed: ['number', 'range'] },
  call_successful: analysis('call_successful', 'boolean'),
  in_voicemail: analysis('in_voicemail', 'boolean'),
  user_sentiment: analysis('user_sentiment', 'enum'),
};

class BadFilter extends Error {}

function agentFilter(wanted) {
  if (!isListOf((a) => isText(a?.agent_id) && (a.version === undefined || isListOf(isNumber)(a.version)))(wanted))
    throw new BadFilter('filter_criteria.agent must be an array of {agent_id, version?}');
  if (wanted.length === 0) return () => true;
  return (call) => wanted.some(({ agent_id, version }) =>
    call.agent_id === agent_id && (!version?.length || version.includes(call.agent_version)));
}

function typedFilter(name, filter) {
  const about = fields[name];
  if (!about) throw new BadFilter(`filter_criteria.${name} is not a filter`);
  const type = types[filter?.type];
  if (!type || !about.allowed.includes(filter.type))
    throw new BadFilter(`filter_criteria.${name}.type must be one of ${about.allowed}`);
  if (!type.ops.includes(filter.op)) throw new BadFilter(`filter_criteria.${name}.op must be one of ${type.ops}`);
  if (!type.valid(filter.value) || (about.values && !filter.value.every((v) => about.values.includes(v))))
    throw new BadFilter(`filter_criteria.${name}.value is not valid`);
  return (call) => type.match(filter.op, about.value(call), filter.value);
}

/** A predicate over calls; throws an error with a message for people when the criteria are not valid. */
export function callFilter(criteria = {}) {
  if (criteria === null || typeof criteria !== 'object' || Array.isArray(criteria))
    throw new BadFilter('filter_criteria must be an object');
  const tests = Object.entries(criteria).map(([name, filter]) =>
    name === 'agent' ? agentFilter(filter) : typedFilter(name, filter));
  return (call) => tests.every((test) => test(call));
}
