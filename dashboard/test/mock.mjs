/**
 * A gateway that is none: speaks the feed (../README.md) of a simulated fleet, for working on the
 * page and for timing it with thousands of endpoints.
 *
 *   node test/mock.mjs [--port 9909] [--endpoints 24] [--token TOKEN] [--seed 1]
 */
import {createServer} from 'node:http';
import {fileURLToPath} from 'node:url';

import {answerFile} from './page.mjs';
import {random} from './random.mjs';

const TICK_MS = 500;

const COLUMNS = {
  pools: ['pool', 'kind', 'runtime', 'strategy', 'unservable', 'endpoints', 'ready', 'ejected', 'silent', 'stale',
    'limited', 'in_flight', 'waiting', 'running', 'kv_cache_utilization_ratio', 'requests_per_s', 'errors_per_s',
    'prompt_tokens_per_s', 'cached_ratio', 'completion_tokens_per_s', 'prefix_hit_ratio', 'ttft_ms_p50', 'ttft_ms_p90',
    'ttft_ms_p99', 'tpot_ms_p50', 'tpot_ms_p90', 'tpot_ms_p99', 'queued', 'queue_saturated'],
  endpoints: ['pool', 'pod', 'address', 'role', 'state', 'in_flight', 'waiting', 'running', 'pending_prompt_tokens',
    'kv_cache_utilization_ratio', 'requests_per_s', 'prefix_hit_ratio', 'failures', 'scrape_failures', 'ejected_until',
    'allowed', 'paused_until', 'silent_at', 'metrics_age_s'],
  queues: ['pool', 'priority', 'tenant', 'waiting', 'waiting_bytes', 'oldest_at', 'in_flight_requests', 'in_flight_tokens',
    'served_tokens', 'state'],
  peers: ['name', 'address', 'state', 'error', 'heard_ago_ms', 'endpoints', 'in_flight', 'pending_prompt_tokens'],
  releases: ['release', 'about', 'phase', 'step', 'steps', 'candidate_percent', 'stable', 'candidate', 'text'],
  objects: ['kind', 'namespace', 'name', 'source', 'ok', 'why', 'conditions'],
  configurations: ['generation', 'changed_at', 'added', 'changed', 'removed', 'first', 'served'],
  totals: ['requests_per_s', 'errors_per_s', 'rejected_per_s', 'prompt_tokens_per_s', 'completion_tokens_per_s',
    'ttft_ms_p50', 'ttft_ms_p90', 'ttft_ms_p99', 'tpot_ms_p50', 'tpot_ms_p90', 'tpot_ms_p99', 'in_flight', 'waiting',
    'running', 'queued'],
};
const REQUESTS = ['id', 'ended_at', 'route', 'pool', 'pod', 'endpoint', 'requested_model', 'status', 'outcome', 'reason',
  'tries', 'queue_ms', 'ttft_ms', 'total_ms', 'prompt_tokens', 'cached_tokens', 'completion_tokens', 'prefix_hit_blocks',
  'prefix_blocks', 'candidates', 'score', 'why'];

/** A fleet that goes on by ticks. Everything comes from its seed and the time it is given. */
export class Fleet {
  constructor({endpoints = 24, seed = 1, now = Date.now()} = {}) {
    this.chance = random(seed);
    this.startedAt = now - 3 * 3600e3;
    this.now = now;
    this.serial = 0;
    this.pools = ['default/qwen', 'default/llama', 'batch/embeddings'].map((pool, i) => ({pool,
      size: Math.max(1, Math.round(endpoints * [0.6, 0.3, 0.1][i])), load: [0.6, 0.4, 0.2][i], next: 0}));
    this.endpoints = this.pools.flatMap((pool, p) => Array.from({length: pool.size}, (_, i) => ({
      pool: pool.pool, pod: `${pool.pool.split('/')[1]}-${i}`, address: `10.${p}.${i >> 8}.${i & 255}:8000`,
      busy: this.chance() * 0.3, state: 'ready', until: 0})));
    // Faults that stay, so that a test knows what it looks for.
    this.endpoints[1].state = 'ejected';
    if (this.endpoints.length > 8) Object.assign(this.endpoints[3], {state: 'silent'});
    if (this.endpoints.length > 8) Object.assign(this.endpoints[5], {state: 'stale'});
    this.requests = [];
    for (let i = 0; i < 240; ++i) this.tick(now - (240 - i) * TICK_MS);
  }

  near(value, share = 0.1) {
    return value * (1 + (this.chance() - 0.5) * 2 * share);
  }

  tick(now) {
    this.now = now;
    const wave = 0.75 + 0.25 * Math.sin(now / 60_000);
    for (const each of this.endpoints) {
      const load = this.pools.find((pool) => pool.pool === each.pool).load * wave;
      each.busy = Math.min(1, Math.max(0.01, each.busy + (this.chance() - 0.5) * 0.12 + (load - each.busy) * 0.1));
      if (each.state === 'ejected' && each.until < now) each.until = now + 30_000;
    }
    this.burst = Math.max(0, Math.sin(now / 20_000)) * 30;
    this.ended = [];
    for (let n = 1 + this.chance.below(6); n > 0; --n) this.ended.push(this.request());
    this.requests.push(...this.ended);
    this.requests.splice(0, this.requests.length - 100);
  }

  request() {
    const pool = this.chance() < 0.7 ? this.pools[0] : this.pools[1];
    const mine = this.endpoints.filter((each) => each.pool === pool.pool && each.state !== 'ejected' && each.state !== 'silent');
    const at = this.chance.of(mine);
    const failed = this.chance();
    const hits = this.chance.below(40);
    const prompt = 40 * 16 + this.chance.below(900);
    const ttft = this.near(180, 0.5);
    const tokens = 20 + this.chance.below(400);
    const base = {id: `req-${(++this.serial).toString(36).padStart(6, '0')}`, ended_at: this.now - this.chance.below(TICK_MS),
      route: 'default/chat', pool: pool.pool, pod: at.pod, endpoint: at.address,
      requested_model: pool === this.pools[0] ? 'Qwen3-32B' : 'Llama-3.1-8B', status: 200, outcome: 'complete', reason: null,
      tries: this.chance() < 0.06 ? 2 : 1, queue_ms: this.near(0.4), ttft_ms: ttft, total_ms: ttft + tokens * this.near(14),
      prompt_tokens: prompt, cached_tokens: hits * 16, completion_tokens: tokens, prefix_hit_blocks: hits, prefix_blocks: 60,
      candidates: mine.length, score: this.near(9), why: hits > 20 ? `${hits} of 60 prompt blocks cached, 2 in flight` : 'least loaded: 2 in flight, none waiting'};
    if (failed < 0.04) {
      return {...base, status: 429, outcome: 'rejected', reason: 'queue_timeout', pod: null, endpoint: null, tries: 0,
        queue_ms: null, ttft_ms: null, total_ms: 5000 + this.chance() * 20, cached_tokens: null, completion_tokens: null, why: null, score: null, candidates: 0};
    }
    if (failed < 0.06) return {...base, outcome: 'upstream_broke', reason: 'reset'};
    if (failed < 0.09) return {...base, outcome: 'client_left'};
    return base;
  }

  rows() {
    const endpoints = this.endpoints.map((each) => this.endpointRow(each));
    const pools = this.pools.map((pool) => this.poolRow(pool, endpoints.filter((row) => row.pool === pool.pool)));
    const waiting = Math.round(this.burst);
    const sum = (column) => pools.reduce((total, pool) => total + (pool[column] ?? 0), 0);
    return {
      pools: byName(pools, 'pool'), endpoints: byName(endpoints, 'address'),
      queues: byName([this.queueRow(1, 'team-a', 0), this.queueRow(0, 'team-a', waiting), this.queueRow(0, 'team-b', waiting * 2),
        this.queueRow(-1, 'batch', waiting * 3)], (row) => `${row.priority}${row.tenant}`),
      peers: byName(this.peerRows(), 'address'), releases: byName([this.releaseRow()], 'release'), objects: byName(this.objectRows(), 'name'),
      configurations: byName(this.configurationRows(), 'generation'),
      totals: {1: {requests_per_s: sum('requests_per_s'), errors_per_s: sum('errors_per_s'), rejected_per_s: waiting / 20,
        prompt_tokens_per_s: sum('prompt_tokens_per_s'), completion_tokens_per_s: sum('completion_tokens_per_s'),
        ttft_ms_p50: pools[0].ttft_ms_p50, ttft_ms_p90: pools[0].ttft_ms_p90, ttft_ms_p99: pools[0].ttft_ms_p99,
        tpot_ms_p50: pools[0].tpot_ms_p50, tpot_ms_p90: pools[0].tpot_ms_p90, tpot_ms_p99: pools[0].tpot_ms_p99,
        in_flight: sum('in_flight'), waiting: sum('waiting'), running: sum('running'), queued: waiting * 6}},
    };
  }

  peerRows() {
    const met = {state: 'linked', error: null, endpoints: this.endpoints.length};
    return [
      {...met, name: 'gateway-b', address: '10.9.0.2:9910', heard_ago_ms: Math.round(this.chance() * 50), in_flight: Math.round(this.chance() * 40),
        pending_prompt_tokens: Math.round(this.chance() * 20000)},
      {...met, name: 'gateway-c', address: '10.9.0.3:9910', state: 'silent', heard_ago_ms: 700, in_flight: 0, pending_prompt_tokens: 0},
      {name: null, address: '10.9.0.4:9910', state: 'unreachable', error: 'connect: refused', heard_ago_ms: null, endpoints: 0, in_flight: 0,
        pending_prompt_tokens: 0},
    ];
  }

  endpointRow(each) {
    const down = each.state === 'ejected' || each.state === 'silent';
    const busy = down ? 0 : each.busy;
    return {pool: each.pool, pod: each.pod, address: each.address, role: null, state: each.state, in_flight: Math.round(busy * 24),
      waiting: Math.max(0, Math.round((busy - 0.7) * 30)), running: Math.round(busy * 24), pending_prompt_tokens: Math.round(busy * 5000),
      kv_cache_utilization_ratio: Math.round(busy * 900) / 1000, requests_per_s: Math.round(busy * 60) / 10,
      prefix_hit_ratio: busy > 0.05 ? Math.round(this.near(0.5, 0.2) * 1000) / 1000 : null, failures: each.state === 'ejected' ? 3 : 0,
      scrape_failures: down ? 4 : 0, ejected_until: each.state === 'ejected' ? each.until : null,
      allowed: busy > 0.9 ? 12 : null, paused_until: null, silent_at: each.state === 'silent' ? this.startedAt : null,
      metrics_age_s: each.state === 'stale' ? 7.2 : down ? 40 : Math.round(this.chance() * 80) / 1000};
  }

  poolRow(pool, rows) {
    const sum = (column) => rows.reduce((total, row) => total + (row[column] ?? 0), 0);
    const count = (...states) => rows.filter((row) => states.includes(row.state)).length;
    const rps = sum('requests_per_s');
    const ttft = this.near(140, 0.1) * (1 + pool.load);
    return {pool: pool.pool, kind: 'InferencePool', runtime: 'vllm', strategy: pool.next ? 'DEFAULT' : 'PREFIX_CACHE', unservable: null,
      endpoints: rows.length, ready: count('ready'), ejected: count('ejected'), silent: count('silent', 'trial'), stale: count('stale', 'unknown'),
      limited: rows.filter((row) => row.allowed !== null).length, in_flight: sum('in_flight'), waiting: sum('waiting'), running: sum('running'),
      kv_cache_utilization_ratio: sum('kv_cache_utilization_ratio') / rows.length, requests_per_s: rps, errors_per_s: rps * this.near(0.01, 0.5),
      prompt_tokens_per_s: rps * this.near(1100), cached_ratio: this.near(0.42), completion_tokens_per_s: rps * this.near(210),
      prefix_hit_ratio: this.near(0.5), ttft_ms_p50: ttft, ttft_ms_p90: ttft * 2.1, ttft_ms_p99: ttft * this.near(4.2, 0.2),
      tpot_ms_p50: this.near(14), tpot_ms_p90: this.near(19), tpot_ms_p99: this.near(31, 0.2),
      queued: pool === this.pools[0] ? Math.round(this.burst) * 6 : null, queue_saturated: pool === this.pools[0] ? this.burst > 1 : null};
  }

  queueRow(priority, tenant, waiting) {
    return {pool: 'default/qwen', priority, tenant, waiting, waiting_bytes: waiting * 2310, oldest_at: waiting ? this.now - waiting * 120 : null,
      in_flight_requests: 4 + this.chance.below(8), in_flight_tokens: 4000 + this.chance.below(3000), served_tokens: Math.round((this.now - this.startedAt) * 6),
      state: waiting === 0 ? 'room' : tenant === 'batch' ? 'reserved' : 'saturated'};
  }

  releaseRow() {
    return {release: 'default/qwen-v2', about: 'rule chat of HTTPRoute default/chat', phase: 'Progressing', step: 2, steps: 3, candidate_percent: 25,
      stable: 'qwen', candidate: 'llama', text: `step 2 of 3, 25 % of requests to llama: ${Math.max(0, 400 - Math.floor((this.now - this.startedAt) / 1000) % 400)}s to go`};
  }

  objectRows() {
    const accepted = {of: null, type: 'Accepted', status: 'True', reason: 'Accepted', message: ''};
    const good = (kind, name, of) => ({kind, namespace: kind === 'GatewayClass' ? '' : 'default', name, source: `objects/${kind.toLowerCase()}.yaml:1`, ok: true, why: null,
      conditions: [{...accepted, of}, {...accepted, of, type: 'ResolvedRefs', reason: 'ResolvedRefs'}]});
    return [good('GatewayClass', 'penstock', null), good('Gateway', 'inference-gateway', 'http'), good('HTTPRoute', 'chat', 'Gateway default/inference-gateway'),
      good('InferencePool', 'qwen', null), good('InferencePool', 'llama', null), good('ModelRelease', 'qwen-v2', null),
      {kind: 'HTTPRoute', namespace: 'default', name: 'broken', source: 'objects/broken.yaml:4', ok: false,
        why: 'HTTPRoute default/broken: spec.rules[0].backendRefs[0].name: no InferencePool default/qwenn', conditions: [
          {of: 'Gateway default/inference-gateway', type: 'Accepted', status: 'True', reason: 'Accepted', message: ''},
          {of: 'Gateway default/inference-gateway', type: 'ResolvedRefs', status: 'False', reason: 'BackendNotFound',
            message: 'spec.rules[0].backendRefs[0].name: no InferencePool default/qwenn'}]}];
  }

  configurationRows() {
    return [[1, 10_800, 14, 0, 0, 'GatewayClass penstock'], [2, 7200, 0, 1, 0, 'InferencePool default/qwen'], [3, 900, 2, 1, 1, 'HTTPRoute default/broken']]
      .map(([generation, ago, added, changed, removed, first]) => ({generation, changed_at: this.startedAt + 10_800e3 - ago * 1000, added, changed, removed, first, served: generation === 3}));
  }

  gateway(viewers) {
    return {version: '0.9.0', commit: 'abc1234', phase: 'serving', started_at: this.startedAt, workers: 8, generation: 3, refused: 1, stale: 0, load_error: null,
      listeners: [{address: '0.0.0.0:8080', names: ['default/inference-gateway/http'], error: null}], downstream_connections: 212,
      held_bytes: 4_300_000, viewers};
  }

  explain(id) {
    const row = this.requests.find((each) => each.id === id);
    if (!row) return null;
    const scores = (load) => ({'in-flight': 6 * load, 'queue-depth': 2 * load, 'kv-cache': 1.4 * load, 'prefix': row.prefix_hit_blocks / 20});
    const sum = (each) => Object.values(each).reduce((a, b) => a + b, 0);
    const others = this.endpoints.filter((each) => each.pool === row.pool && each.pod !== row.pod).slice(0, 4);
    const tries = row.tries === 0 ? [] : row.tries === 1 ? [] : [{pod: others[0].pod, endpoint: others[0].address, score: 9.6, own_in_flight: 1,
      reason: 'connect_refused', detail: 'Connection refused', began_ms: 0.6, took_ms: row.ttft_ms / 4}];
    if (row.tries > 0) tries.push({pod: row.pod, endpoint: row.endpoint, score: row.score, own_in_flight: 2, reason: '',
      began_ms: row.tries > 1 ? row.ttft_ms / 4 + 1 : 0.6, took_ms: row.total_ms - (row.tries > 1 ? row.ttft_ms / 4 + 1 : 0.6)});
    return {request_id: id, client: '10.9.8.7', client_subject: '', owner: '', method: 'POST', host: 'llm.example', path: '/v1/chat/completions',
      route: row.route, rule: 'chat', pool: row.pool, fell_back_from: '', fallback_reason: '', requested_model: row.requested_model, target_model: row.requested_model,
      pod: row.pod ?? '', endpoint: row.endpoint ?? '', status: row.status, outcome: row.outcome, reason: row.reason ?? '', tries: row.tries, stream: true,
      prefix_hit_blocks: row.prefix_hit_blocks, prefix_blocks: row.prefix_blocks, candidates: row.candidates, score: sum(scores(0.95)), scores: row.pod ? scores(0.95) : {},
      body_ms: 0.2, queue_ms: row.queue_ms, response_ms: row.ttft_ms && row.ttft_ms - 4, ttft_ms: row.ttft_ms, total_ms: row.total_ms,
      prompt_tokens: row.prompt_tokens, cached_tokens: row.cached_tokens, completion_tokens: row.completion_tokens, tokens_estimated: false, own_in_flight: 2, limit: '', session: '',
      queue_result: row.pod ? 'passed' : 'expired', priority: 0, tenant: 'team-a', evicted_for: null, queue_wait_ms: row.pod ? 0 : row.total_ms, ahead_higher: 0, ahead_others: 3, ahead_own: 1,
      release: '', sticky: false, losers: row.pod ? others.slice(0, 3).map((each, i) => ({pod: each.pod, endpoint: each.address, score: sum(scores(0.8 - i / 5)), scores: scores(0.8 - i / 5), own_in_flight: 4 + i})) : [],
      pushed_back: [], all_tries: tries};
  }

  releases() {
    const side = (name, percent, ttft) => ({weightPercent: percent, samples: 412, errors: 2, ttftSeconds: ttft, tpotSeconds: 0.014, endedByLength: 12, endedAbnormally: 0});
    return [{name: 'default/qwen-v2', about: 'rule chat of HTTPRoute default/chat', phase: 'Progressing', message: this.releaseRow().text, step: 2, steps: 3, weight: 25,
      stable: side('qwen', 75, 0.18), candidate: side('llama', 25, 0.19), verdict: ['errorRate: 0.5 % against 0.5 %, at most 1 percentage point more: no breach', 'ttft: 1.06 times as long, at most 1.2: no breach'],
      history: [{time: '2026-01-02T03:00:00Z', unixNanos: this.startedAt * 1e6, from: 'Waiting', to: 'Progressing', step: 1, reason: 'the candidate is ready'},
        {time: '2026-01-02T03:10:00Z', unixNanos: (this.startedAt + 600e3) * 1e6, from: 'Progressing', to: 'Progressing', step: 2, reason: 'step 1 is done: 10m and 214 samples'}]}];
  }
}

const text = (port, extra = '') => `apiVersion: inference.networking.k8s.io/v1\nkind: InferencePool\nmetadata:\n  name: qwen\nspec:\n  selector:\n    matchLabels:\n      app: qwen\n  targetPorts:\n  - number: ${port}\n${extra}`;
const GENERATIONS = {
  1: [{object: 'InferencePool default/qwen', before: null, after: text(8001)}],
  2: [{object: 'InferencePool default/qwen', before: text(8001), after: text(8000)}],
  3: [{object: 'HTTPRoute default/broken', before: null, after: 'kind: HTTPRoute\nmetadata:\n  name: broken\n'},
    {object: 'InferencePool default/qwen', before: text(8000), after: text(8000, '  endpointPickerRef:\n    name: none\n')},
    {object: 'Pod default/qwen-99', before: 'kind: Pod\nmetadata:\n  name: qwen-99\n', after: null}],
};

function byName(rows, name) {
  return Object.fromEntries(rows.map((row) => [typeof name === 'function' ? name(row) : row[name], row]));
}

const cells = (columns, row) => columns.map((column) => row[column] ?? null);

/** What the feed says as a whole. */
export function stateOf(fleet, viewers = 1) {
  const tables = {};
  const all = fleet.rows();
  for (const [name, rows] of Object.entries(all)) {
    tables[name] = {columns: COLUMNS[name], rows: Object.fromEntries(Object.entries(rows).map(([key, row]) => [key, cells(COLUMNS[name], row)]))};
  }
  return {at: fleet.now, gateway: fleet.gateway(viewers), tables,
    requests: {columns: REQUESTS, rows: fleet.requests.map((row) => cells(REQUESTS, row))}};
}

/** What is another in the second of two states. */
function changeOf(before, after, fleet) {
  const change = {at: after.at};
  const tables = {};
  for (const [name, {rows}] of Object.entries(after.tables)) {
    const had = before.tables[name].rows;
    const set = Object.fromEntries(Object.entries(rows).filter(([key, row]) => JSON.stringify(row) !== JSON.stringify(had[key])));
    const gone = Object.keys(had).filter((key) => !(key in rows));
    if (Object.keys(set).length > 0 || gone.length > 0) tables[name] = {...(Object.keys(set).length > 0 && {set}), ...(gone.length > 0 && {gone})};
  }
  if (Object.keys(tables).length > 0) change.tables = tables;
  if (JSON.stringify(before.gateway) !== JSON.stringify(after.gateway)) change.gateway = after.gateway;
  change.requests = {rows: fleet.ended.map((row) => cells(REQUESTS, row)), left_out: 0};
  return change;
}

/** @return {Promise<{url: string, fleet: Fleet, close: () => Promise<void>, cut: () => void, state: object}>} */
export async function startMock({port = 0, token = '', ...options} = {}) {
  const fleet = new Fleet(options);
  const readers = new Set();
  const mock = {fleet, token, readers, paused: false};
  let last = stateOf(fleet);
  const timer = setInterval(() => {
    if (mock.paused) return;
    fleet.tick(Date.now());
    const now = stateOf(fleet, readers.size);
    const event = `event: change\ndata: ${JSON.stringify(changeOf(last, now, fleet))}\n\n`;
    last = now;
    for (const reader of readers) reader.write(event);
  }, TICK_MS);

  const json = (response, value, status = 200) => {
    response.writeHead(status, {'content-type': 'application/json'});
    response.end(JSON.stringify(value));
  };
  const pages = {
    '/feed'(request, response) {
      response.writeHead(200, {'content-type': 'text/event-stream', 'cache-control': 'no-store'});
      response.write(`event: state\ndata: ${JSON.stringify(last = stateOf(fleet, readers.size + 1))}\n\n`);
      readers.add(response);
      response.on('close', () => readers.delete(response));
    },
    '/explain'(request, response, query) {
      const found = fleet.explain(query.get('id'));
      if (found) json(response, found);
      else response.writeHead(404).end('none of the last ones\n');
    },
    '/configuration'(request, response, query) {
      const generation = Number(query.get('generation'));
      if (!query.has('generation')) {
        response.writeHead(200, {'content-type': 'application/yaml'});
        response.end([text(8000), 'kind: HTTPRoute\nmetadata:\n  name: broken\n'].join('---\n'));
      } else if (GENERATIONS[generation]) {
        json(response, {generation, changed_at: fleet.startedAt, objects: GENERATIONS[generation]});
      } else {
        response.writeHead(404).end('no such generation\n');
      }
    },
    '/releases'(request, response) {
      json(response, fleet.releases());
    },
  };
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://mock');
    const page = pages[url.pathname];
    if (page) {
      if (mock.token && request.headers.authorization !== `Bearer ${mock.token}`) response.writeHead(401).end('a token is wanted\n');
      else page(request, response, url.searchParams);
      return;
    }
    await answerFile(url.pathname, response);
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return Object.assign(mock, {
    url: `http://127.0.0.1:${server.address().port}/`,
    /** Every connection is lost. */
    cut() {
      for (const reader of readers) reader.destroy();
    },
    async close() {
      clearInterval(timer);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const options = {port: 9909};
  for (let i = 2; i < process.argv.length; i += 2) {
    const name = process.argv[i].replace(/^--/, '');
    options[name] = name === 'token' ? process.argv[i + 1] : Number(process.argv[i + 1]);
  }
  console.log(`a simulated gateway at ${(await startMock(options)).url}`);
}
