/** One request: what happened when, who was asked, and why. */
import {formatAddress} from '../address.js';
import {store} from '../app.js';
import {Clock, Empty, Facts, Panel, usePage} from '../parts/small.jsx';
import {Shape, State} from '../parts/state.jsx';
import {GoTo} from './requests.jsx';
import {count, ms, percent} from '../units.js';

export function Request({id}) {
  const {isLoading, status, body, error} = usePage(`explain?id=${encodeURIComponent(id)}&output=json`, id);
  return (
    <>
      <p class="back"><a href="#/requests">← Requests</a></p>
      <h1>Request <code>{id}</code></h1>
      <div class="toolbar"><GoTo /></div>
      {isLoading && <Empty>…</Empty>}
      {error && <Empty>The gateway did not answer: {error}</Empty>}
      {status === 404 && (
        <Panel title="None of the last ones">
          <p class="text">This request is none of the last ones that the gateway keeps (1,024 for each worker), or has not ended yet. The log has
            a line <code>Request Handled</code> of each.</p>
        </Panel>)}
      {status > 0 && status !== 200 && status !== 404 && <Empty>The gateway answered {status}.</Empty>}
      {body && <Explained told={body} />}
    </>
  );
}

const orNull = (text) => (text === '' || text === undefined ? null : text);

function Explained({told}) {
  const listed = store.requests.find((row) => row.id === told.request_id);
  return (
    <>
      <section class="panel lead" aria-label="In short">
        <p><State word={told.outcome} text={`${told.status || 'no status'}, ${told.outcome.replaceAll('_', ' ')}${told.reason ? ` (${told.reason})` : ''}`} />
          {listed && <span class="dim"> ended at <Clock at={listed.ended_at} /></span>}</p>
        {told.pod && <p class="big">{told.pod} <code>{told.endpoint}</code></p>}
        {listed?.why && <p class="text">{listed.why}</p>}
      </section>
      <Timeline told={told} />
      <div class="columns">
        <Panel title="Request">
          <Facts items={[
            ['Client', orNull(told.client)], ['Certificate', orNull(told.client_subject)], ['API key of', orNull(told.owner)],
            ['Asked', <code key="path">{told.method} {told.path}</code>], ['Host', orNull(told.host)], ['Route', orNull(told.route)], ['Rule', orNull(told.rule)],
            ['Pool', told.pool && <a key="pool" href={formatAddress({path: ['endpoints'], query: {pool: told.pool}})}>{told.pool}</a>],
            ['In place of', told.fell_back_from && `${told.fell_back_from}: ${told.fallback_reason}`],
            ['Model', orNull(told.requested_model)], ['Sent on as', told.target_model !== told.requested_model ? orNull(told.target_model) : null],
            ['Stream', told.stream ? 'yes' : 'no'], ['Session', orNull(told.session)], ['Release', orNull(told.release)],
            ['Pool chosen by', told.sticky ? 'stickiness' : null], ['Limit reached', orNull(told.limit)],
          ]} />
        </Panel>
        <Panel title="Tokens and queue">
          <Facts items={[
            ['Prompt tokens', count(told.prompt_tokens)], ['Of them cached', count(told.cached_tokens)],
            ['Completion tokens', `${count(told.completion_tokens)}${told.tokens_estimated ? ' (counted by events)' : ''}`],
            ['Time per output token', tpot(told)],
            ['Prompt blocks cached', told.prefix_blocks > 0 ? `${told.prefix_hit_blocks} of ${told.prefix_blocks} (${percent(told.prefix_hit_blocks / told.prefix_blocks)}), as believed` : null],
            ['Queue', told.queue_result ? `${told.queue_result}${told.evicted_for !== null ? ` for priority ${told.evicted_for}` : ''}` : null],
            ['Priority', told.queue_result ? told.priority : null], ['Tenant', orNull(told.tenant)],
            ['Waited', told.queue_wait_ms !== null && told.queue_result && told.queue_result !== 'passed' ?
              `${ms(told.queue_wait_ms)} behind ${told.ahead_higher} of higher priority, ${told.ahead_others} of other tenants, ${told.ahead_own} of its own` : null],
          ]} />
        </Panel>
      </div>
      {told.pod && <Scores told={told} />}
      <Tries told={told} />
    </>
  );
}

function tpot(told) {
  if (!(told.completion_tokens > 1) || told.ttft_ms === null || !told.stream) return null;
  return ms((told.total_ms - told.ttft_ms) / (told.completion_tokens - 1));
}

/** Stages from the request's first byte on: [name, from, to, look]. */
export function stagesOf(told) {
  const stages = [];
  let from = 0;
  const add = (name, to, look) => {
    if (to === null || to === undefined || to < from) return;
    if (to > from) stages.push({name, from, to, look});
    from = to;
  };
  add('body', told.body_ms, 'body');
  const waited = told.queue_wait_ms > 0 && told.queue_result !== 'passed';
  if (told.queue_ms !== null) add(waited ? 'queue' : 'decision', told.queue_ms, waited ? 'queue' : 'decision');
  add('until the first token', told.ttft_ms, 'first');
  add(told.ttft_ms === null ? (waited && told.queue_ms === null ? 'queue' : 'until its end') : 'tokens', told.total_ms,
    told.ttft_ms === null ? 'queue' : 'tokens');
  return stages;
}

function Timeline({told}) {
  const stages = stagesOf(told);
  const total = Math.max(told.total_ms, 0.001);
  const at = (value) => `${(Math.max(0, Math.min(1, value / total)) * 100).toFixed(2)}%`;
  const wide = (from, to) => `${(Math.max(0.002, Math.min(1, (to - from) / total)) * 100).toFixed(2)}%`;
  const lanes = (told.all_tries ?? []).map((each, i) => ({name: `try ${i + 1}`, each}));
  return (
    <Panel title="Course" aside={`${ms(told.total_ms)} in all`}>
      <div class="timeline" role="img" aria-label={stages.map(({name, from, to}) => `${name} ${ms(from)} to ${ms(to)}`).join('; ')}>
        <div class="lane"><span class="name">request</span><span class="line">
          {stages.map(({name, from, to, look}) => <span key={name} class={`stage ${look}`} style={{left: at(from), width: wide(from, to)}} title={`${name}: ${ms(to - from)}`} />)}
        </span></div>
        {lanes.map(({name, each}) => (
          <div class="lane" key={name}><span class="name">{name}</span><span class="line">
            <span class={`stage ${each.reason ? 'failed' : 'try'}`} style={{left: at(each.began_ms), width: wide(each.began_ms, each.began_ms + each.took_ms)}} title={`${each.pod}: ${each.reason || 'answered'}, ${ms(each.took_ms)}`} />
            <span class={`on ${each.began_ms > total / 2 ? 'left' : ''}`} style={each.began_ms > total / 2 ? {right: `calc(100% - ${at(each.began_ms)})`} : {left: at(each.began_ms)}}>{each.pod || each.endpoint}{each.reason && `: ${each.reason}`}</span>
          </span></div>))}
        <div class="lane axis"><span class="name" /><span class="line">{[0, 0.25, 0.5, 0.75, 1].map((part) => <span key={part} class="tick" style={{left: at(part * total)}}>{ms(part * total)}</span>)}</span></div>
      </div>
      <ul class="stages">{stages.map(({name, from, to, look}) => <li key={name}><i class={`stage ${look}`} />{name} <b>{ms(to - from)}</b></li>)}</ul>
    </Panel>
  );
}

const PARTS = 6;

/** The sum of the scorers as one bar of parts, for the chosen one and those that lost. */
function Scores({told}) {
  const names = Object.keys(told.scores ?? {});
  const rows = [{pod: told.pod, endpoint: told.endpoint, score: told.score, scores: told.scores, own_in_flight: told.own_in_flight, isChosen: true}, ...(told.losers ?? [])];
  const most = Math.max(0.001, ...rows.map((row) => row.score));
  return (
    <Panel title="Why there" aside={`chosen from ${count(told.candidates)} candidate${told.candidates === 1 ? '' : 's'}`}>
      {names.length === 0 ? <Empty>There was nothing to choose: no scores.</Empty> : <>
        <ul class="stages">{names.map((name, i) => <li key={name}><i class={`part-${i % PARTS}`} />{name}</li>)}</ul>
        <div class="table" tabIndex={0} role="region" aria-label="Scores"><table class="small scores">
          <thead><tr><th scope="col">Endpoint</th><th scope="col" class="wide">Sum</th><th scope="col" class="number">Score</th><th scope="col" class="number">In flight there</th>
            {names.map((name) => <th scope="col" key={name} class="number">{name}</th>)}</tr></thead>
          <tbody>{rows.map((row) => (
            <tr key={row.endpoint + row.pod} class={row.isChosen ? 'chosen' : ''}>
              <th scope="row">{row.isChosen && <Shape word="ok" />}{row.pod || row.endpoint}{row.isChosen && <span class="sr"> (chosen)</span>}</th>
              <td class="wide"><span class="parts">{names.map((name, i) => <span key={name} class={`part-${i % PARTS}`} style={{width: `${Math.max(0, (row.scores[name] ?? 0) / most) * 100}%`}} title={`${name} ${row.scores[name]?.toFixed(3)}`} />)}</span></td>
              <td class="number"><b>{row.score.toFixed(3)}</b></td><td class="number">{count(row.own_in_flight)}</td>
              {names.map((name) => <td key={name} class="number">{(row.scores[name] ?? 0).toFixed(3)}</td>)}
            </tr>))}</tbody>
        </table></div></>}
      {told.peers_heard !== null && told.peers_heard !== undefined && <p class="dim">
        {told.peers_heard === 0 ? 'No peer was heard: in flight are this gateway\'s own requests.' :
          `In flight are those of ${count(told.peers_heard)} peer${told.peers_heard === 1 ? '' : 's'}, too: the oldest word ${ms(told.peers_oldest_ms)} old.`}</p>}
      {(told.pushed_back ?? []).length > 0 && <>
        <h3>Not asked, as they had pushed back</h3>
        <ul class="plain">{told.pushed_back.map((each) => (
          <li key={each.endpoint}><b>{each.pod || each.endpoint}</b> {each.allowed > 0 && `${each.own_in_flight} in flight there, ${each.allowed} allowed`} {each.paused_ms > 0 && `none wanted for ${ms(each.paused_ms)}`}</li>))}</ul></>}
      {told.disaggregation && <>
        <h3>Prefill and decode</h3>
        <Facts items={[['Sent as', told.disaggregation], ['Prefill half at', told.prefill_pod && `${told.prefill_pod} (${told.prefill_endpoint}), chosen from ${told.prefill_candidates}`],
          ['Prefill answered', told.prefill_status ? `${told.prefill_status} after ${ms(told.prefill_ms)}` : null], ['Transfer', told.transfer_ms === null ? null : ms(told.transfer_ms)],
          ['Failed half', orNull(told.failed_half)]]} /></>}
    </Panel>
  );
}

function Tries({told}) {
  const tries = told.all_tries ?? [];
  return (
    <Panel title="Tries" aside={`${told.tries}`}>
      {tries.length === 0 ? <Empty>No endpoint was asked.</Empty> : (
        <div class="table" tabIndex={0} role="region" aria-label="Tries"><table class="small">
          <thead><tr><th scope="col">Endpoint</th><th scope="col">Result</th><th scope="col" class="number">Began</th><th scope="col" class="number">Took</th><th scope="col" class="number">Score</th><th scope="col" class="number">In flight there</th></tr></thead>
          <tbody>{tries.map((each, i) => (
            <tr key={i}><th scope="row">{each.pod} <code>{each.endpoint}</code>{each.prefill_pod && ` with prefill at ${each.prefill_pod}`}</th>
              <td><State word={each.reason ? 'not ok' : 'ok'} text={each.reason ? each.reason.replaceAll('_', ' ') : 'answered'} /> <span class="dim">{each.detail}</span></td>
              <td class="number">{ms(each.began_ms)}</td><td class="number">{ms(each.took_ms)}</td><td class="number">{each.score?.toFixed(3)}</td><td class="number">{count(each.own_in_flight)}</td></tr>))}</tbody>
        </table></div>)}
    </Panel>
  );
}
