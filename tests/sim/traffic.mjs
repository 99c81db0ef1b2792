// Calls as Retell's accounts see them, made up from a seed: phone and web, in and out, connected or
// not, transferred, analysed late, analysed again. Each is a list of steps in simulated time; a step
// changes the truth and may be told by a webhook.

/** A small seeded generator (mulberry32): [0, 1). */
export function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const pick = (random, list) => list[Math.floor(random() * list.length)];
const between = (random, lo, hi) => Math.floor(lo + random() * (hi - lo));
const number = (random) => `+1415555${String(between(random, 0, 10_000)).padStart(4, '0')}`;

const LINES = [
  ['agent', 'Good morning, how can I help you?'], ['user', 'I would like a table for two, "by the window".'],
  ['agent', 'For this evening?'], ['user', 'Yes, at eight – naïve of me to hope?'],
  ['agent', 'Not at all. Under what name?'], ['user', 'Zoë Müller 🙂'], ['agent', 'It is booked. Goodbye!'],
];

function transcript(random) {
  const lines = LINES.slice(0, between(random, 2, LINES.length + 1));
  let at = 0.5;
  const utterances = lines.map(([role, content]) => ({
    role, content,
    words: content.split(' ').map((word) => ({ word, start: (at += 0.31), end: at + 0.2 })),
  }));
  return {
    transcript: lines.map(([role, content]) => `${role === 'agent' ? 'Agent' : 'User'}: ${content}\n`).join(''),
    transcript_object: utterances,
    transcript_with_tool_calls: [...utterances, { role: 'tool_call_invocation', tool_call_id: 't1', name: 'book', arguments: '{"seats":2}' }],
  };
}

const latency = (random) => {
  const values = Array.from({ length: 4 }, () => between(random, 400, 1500));
  return { e2e: { p50: values[0], p90: values[1], max: Math.max(...values), min: Math.min(...values), num: 4, values } };
};

const cost = (random, duration_ms) => {
  const seconds = Math.ceil(duration_ms / 1000);
  const combined = Math.round(seconds * (0.1 + random()) * 10_000) / 10_000;
  return {
    combined_cost: combined, total_duration_seconds: seconds, total_duration_unit_price: 0.1234567,
    product_costs: [{ product: 'elevenlabs_tts', unit_price: 0.1166667, cost: combined }],
  };
};

/** An analysis; all of its members but the summary are optional, unless it is to be `whole`. */
export function makeAnalysis(random, text = 'A table was booked.', whole = false) {
  const all = {
    call_summary: text, user_sentiment: pick(random, ['Negative', 'Positive', 'Neutral', 'Unknown']),
    call_successful: random() < 0.7, in_voicemail: random() < 0.1, custom_analysis_data: { party: between(random, 1, 9) },
  };
  return Object.fromEntries(Object.entries(all).filter(([key]) => whole || key === 'call_summary' || random() < 0.9));
}

/**
 * The steps of one call: [{at, members, event, more}], at in ms of simulated time. `at` is when it is
 * created; nothing happens before. `timeless`: calls that do not connect have no timestamps.
 */
export function makeCall(random, { call_id, agent, at, swapped = agent, timeless = random() < 0.5, reanalyse = 0.05 }) {
  const kind = random();
  const web = kind < 0.15, missed = !web && kind < 0.3, failed = !web && kind < 0.33;
  const start = at + between(random, 1_000, 8_000);
  const duration_ms = between(random, 8_000, 600_000);
  const end = start + duration_ms;
  const base = {
    call_id, agent_id: agent.agent_id, agent_name: agent.agent_name, agent_version: between(random, 0, 5),
    call_type: web ? 'web_call' : 'phone_call', call_status: 'registered',
    ...(web ? { access_token: `token_of_${call_id}` }
      : { direction: pick(random, ['inbound', 'outbound']), from_number: number(random), to_number: number(random) }),
    ...(random() < 0.3 && { metadata: { order: between(random, 1, 1e6), tags: ['a', 'b'] } }),
    ...(random() < 0.3 && { retell_llm_dynamic_variables: { name: 'Zoë' } }),
  };
  const steps = [{ at, members: base }];
  if (missed) {
    const reason = pick(random, ['dial_no_answer', 'dial_busy', 'dial_failed', 'user_declined']);
    const times = timeless ? {} : { start_timestamp: start, end_timestamp: start };
    steps.push({ at: start + 20_000, event: 'call_ended', members: { call_status: 'not_connected', disconnection_reason: reason, ...times } });
    return steps;
  }
  steps.push({ at: start, event: 'call_started', members: { call_status: 'ongoing', start_timestamp: start } });
  const said = transcript(random);
  if (random() < 0.2)
    steps.push({ at: start + duration_ms / 2, event: 'transcript_updated', members: { transcript: 'Agent: Good morning', transcript_object: said.transcript_object.slice(0, 1) } });
  if (!web && random() < 0.1) {
    const transfer = { transfer_destination: { type: 'predefined', number: number(random) }, transfer_option: { type: 'cold_transfer' } };
    steps.push({ at: end - 2_000, event: 'transfer_started', members: {}, more: transfer, brief: true });
  }
  steps.push({
    at: end, event: 'call_ended',
    members: {
      call_status: failed ? 'error' : 'ended', end_timestamp: end, duration_ms,
      disconnection_reason: failed ? 'error_asr' : pick(random, ['user_hangup', 'agent_hangup', 'call_transfer', 'voicemail_reached']),
      ...said, latency: latency(random), call_cost: cost(random, duration_ms),
      recording_url: `https://recordings.example.com/${call_id}.wav`, public_log_url: `https://logs.example.com/${call_id}.log`,
    },
  });
  // With an agent swap to both_agents, both agents' URLs get the event.
  if (swapped !== agent && random() < 0.05) steps.at(-1).also = swapped.agent_id;
  if (failed) return steps;
  const analysed = end + between(random, 5_000, 300_000);
  steps.push({ at: analysed, event: 'call_analyzed', members: { call_analysis: makeAnalysis(random) } });
  if (random() < reanalyse)
    steps.push({ at: analysed + between(random, 60_000, 1_200_000), event: 'call_analyzed', members: { call_analysis: makeAnalysis(random, 'Analysed anew.', true) } });
  return steps;
}

/** All calls' steps in the order of their time. */
export function makeTraffic({ random, calls, agents, from, spanMs, prefix = 'call', ...options }) {
  const steps = [];
  for (let i = 0; i < calls; i++) {
    const call_id = `${prefix}_${String(i).padStart(6, '0')}`;
    const made = makeCall(random, { call_id, agent: pick(random, agents), swapped: pick(random, agents), at: Math.floor(from + random() * spanMs), ...options });
    steps.push(...made.map((step) => ({ ...step, call_id })));
  }
  return steps.sort((a, b) => a.at - b.at);
}

/** Lets a step happen: the truth changes, and a webhook says so if there is a `sender`. */
export function happen(fake, step, sender) {
  const call = fake.setCall(step.call_id, step.members);
  if (!step.event || !sender) return;
  sender.send(step.event, step.brief ? { call_id: step.call_id } : call, step.more);
  if (step.also) sender.send(step.event, { ...call, agent_id: step.also }, step.more);
}

/** Plays steps along the fake's clock until the last has happened, or `until` says stop. */
export async function play(fake, steps, sender, until = () => false) {
  for (const step of steps) {
    while (fake.clock.now() < step.at) {
      if (until()) return;
      await new Promise((resolve) => setTimeout(resolve, Math.min(50, Math.max(1, (step.at - fake.clock.now()) / fake.clock.speed))));
    }
    happen(fake, step, sender);
  }
}

/** The truth as of now, without playing: for accounts that have a history. */
export function settle(fake, steps) {
  for (const step of steps) fake.calls.set(step.call_id, { ...fake.calls.get(step.call_id), ...step.members });
  fake.listed = undefined;
}
