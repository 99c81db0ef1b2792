// Events as Retell words them, small enough to read; `frontdesk trigger` makes the realistic ones.
let counter = 0;

/** A call id that no other test uses. */
export const newCallId = () => `call_${process.pid}_${++counter}`;

const start = Date.UTC(2026, 2, 1, 9, 30);

/** The call object of a phone call that is over, without its analysis. */
export const endedCall = (more = {}) => ({
  call_id: newCallId(),
  call_type: 'phone_call',
  agent_id: 'agent_test',
  agent_version: 3,
  agent_name: 'Test Agent',
  call_status: 'ended',
  direction: 'inbound',
  from_number: '+12125550123',
  to_number: '+14155550199',
  start_timestamp: start,
  end_timestamp: start + 61_500,
  duration_ms: 61_500,
  disconnection_reason: 'user_hangup',
  transcript: 'Agent: Hello.\nUser: Hi, a table for two?\n',
  recording_url: 'https://recordings.example.com/1.wav',
  call_cost: { combined_cost: 17.0035, product_costs: [], total_duration_seconds: 62, total_duration_unit_price: 0.2742 },
  ...more,
});

export const analysis = {
  call_summary: 'A table for two was booked.',
  user_sentiment: 'Positive',
  call_successful: true,
  in_voicemail: false,
  custom_analysis_data: { party: 2 },
};

export const started = (call) => {
  const { call_id, call_type, agent_id, agent_version, agent_name, direction, from_number, to_number, start_timestamp } = call;
  return {
    event: 'call_started',
    call: { call_id, call_type, agent_id, agent_version, agent_name, direction, from_number, to_number, start_timestamp, call_status: 'ongoing' },
  };
};
export const ended = (call) => ({ event: 'call_ended', call });
export const analyzed = (call) => ({ event: 'call_analyzed', call: { ...call, call_analysis: analysis } });
