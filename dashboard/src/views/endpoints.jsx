/** Every endpoint: thousands of them, of which only those that are seen are in the document. */
import {formatAddress} from '../address.js';
import {address, setQuery, store, withQuery} from '../app.js';
import {Heat} from '../parts/heat.jsx';
import {Inspector} from '../parts/inspector.jsx';
import {Ago, Bar, Choice, Clock, Empty, Facts, Search, Until} from '../parts/small.jsx';
import {State, Shape} from '../parts/state.jsx';
import {inOrder, Table} from '../parts/table.jsx';
import {calmOrder, distinct, hasWords, naturally, wordsOf} from '../rows.js';
import {count, ms, percent, rate, seconds} from '../units.js';

const STATES = ['ejected', 'silent', 'trial', 'unknown', 'stale', 'ready'];
const FILTERS = [...STATES, ['not-ready', 'all but ready'], ['limited', 'push back']];
const RANK = Object.fromEntries(STATES.map((word, i) => [word, i]));

export const selOf = (row) => `${row.pool}@${row.address}`;

const COLUMNS = [
  {key: 'pod', label: 'Endpoint', width: 12, grows: true, cell: (row) => row.pod ?? row.address},
  {key: 'state', label: 'State', width: 6.5, value: (row) => RANK[row.state] ?? 9, cell: (row) => <State word={row.state} />},
  {key: 'note', label: 'Note', width: 13, value: (row) => row.ejected_until ?? row.paused_until ?? row.silent_at ?? row.allowed, cell: (row) => <Note row={row} />},
  {key: 'in_flight', label: 'In flight', width: 7.5, number: true, cell: (row) => <InFlight row={row} />},
  {key: 'waiting', label: 'Waiting', width: 5.5, number: true, cell: (row) => count(row.waiting)},
  {key: 'running', label: 'Running', width: 5.5, number: true, cell: (row) => count(row.running)},
  {key: 'kv_cache_utilization_ratio', label: 'KV cache', width: 8, number: true, cell: (row) => <Bar ratio={row.kv_cache_utilization_ratio} />},
  {key: 'requests_per_s', label: 'Req/s', width: 5, number: true, cell: (row) => rate(row.requests_per_s)},
  {key: 'prefix_hit_ratio', label: 'Prefix hit', width: 6, number: true, cell: (row) => percent(row.prefix_hit_ratio)},
  {key: 'pending_prompt_tokens', label: 'Pending', width: 5.5, number: true, cell: (row) => count(row.pending_prompt_tokens), hint: 'prompt tokens whose first token has not come back'},
  {key: 'failures', label: 'Failures', width: 5.5, number: true, cell: (row) => count(row.failures), hint: 'in a row'},
  {key: 'metrics_age_s', label: 'Metrics', width: 5.5, number: true, cell: (row) => seconds(row.metrics_age_s), hint: 'how old its metrics are'},
  {key: 'address', label: 'Address', width: 11, cell: (row) => <code>{row.address}</code>, title: (row) => row.address},
  {key: 'pool', label: 'Pool', width: 10},
  {key: 'role', label: 'Role', width: 5},
];

function Note({row}) {
  if (row.state === 'ejected' && row.ejected_until !== null) return <Until at={row.ejected_until} />;
  if (row.silent_at !== null) return <span>for <Ago at={row.silent_at} /></span>;
  if (row.paused_until !== null) return <span>paused, <Until at={row.paused_until} /></span>;
  if (row.allowed !== null) return `pushed back: ${row.allowed} allowed`;
  if (row.scrape_failures > 0) return `${count(row.scrape_failures)} scrape${row.scrape_failures === 1 ? '' : 's'} failed`;
  return <span class="dim">–</span>;
}

/** Against what is allowed there, else against the busiest. */
let busiest = 1;
const InFlight = ({row}) => <Bar ratio={(row.in_flight ?? 0) / Math.max(1, row.allowed ?? busiest)} text={count(row.in_flight)} tone={row.allowed !== null && row.in_flight >= row.allowed ? 'warn' : 'plain'} />;

export function filterEndpoints(rows, {pool, state, q, role}) {
  const words = wordsOf(q);
  return rows.filter((row) => (!pool || row.pool === pool) && (!role || row.role === role) && matches(row, state) &&
    (words.length === 0 || hasWords(words, row.pod ?? '', row.address, row.pool, row.state)));
}

function matches(row, state) {
  if (!state) return true;
  if (state === 'not-ready') return row.state !== 'ready';
  if (state === 'limited') return row.allowed !== null || row.paused_until !== null;
  return row.state === state;
}

const calmly = calmOrder(2000);
const byNames = (a, b) => naturally(a.pool, b.pool) || naturally(a.pod ?? a.address, b.pod ?? b.address);

export function Endpoints() {
  const {query} = address();
  const all = store.table('endpoints').inOrder(byNames);
  const found = filterEndpoints(all, query);
  busiest = found.reduce((most, row) => Math.max(most, row.in_flight ?? 0), 1);
  const rows = calmly(found, `${query.sort} ${query.pool} ${query.state} ${query.role} ${query.q}`, (list) => inOrder(list, COLUMNS, query.sort || 'state'), performance.now());
  const pools = distinct(all, 'pool');
  const roles = distinct(all, 'role');
  const picked = query.sel ? all.find((row) => selOf(row) === query.sel) : null;
  const columns = COLUMNS.filter((column) => (column.key !== 'role' || roles.length > 0) && (column.key !== 'pool' || (pools.length > 1 && !query.pool)));
  return (
    <>
      <h1>Endpoints <small>{found.length === all.length ? count(all.length) : `${count(found.length)} of ${count(all.length)}`}</small></h1>
      <div class="toolbar">
        <Search placeholder="name or address" />
        <Choice name="pool" label="Pool" values={pools} />
        <Choice name="state" label="State" values={FILTERS} />
        {roles.length > 0 && <Choice name="role" label="Role" values={roles} />}
        <Counts rows={all} pool={query.pool} />
      </div>
      <Heat rows={found} onPick={(row) => setQuery({sel: selOf(row)})} />
      <div class={picked ? 'with-inspector' : ''}>
        <Table label="Endpoints" tall columns={columns} rows={rows} standard="state" keyOf={selOf} selected={query.sel} hrefOf={(row) => withQuery({sel: selOf(row)})}
          empty={all.length === 0 ? 'No pool has an endpoint.' : 'No endpoint is like that.'} />
        {query.sel && (picked ? <Picked row={picked} /> : <Inspector title={query.sel.split('@')[1] ?? query.sel}><Empty>This endpoint is gone.</Empty></Inspector>)}
      </div>
    </>
  );
}

function Counts({rows, pool}) {
  const counts = new Map();
  for (const row of rows) if (!pool || row.pool === pool) counts.set(row.state, (counts.get(row.state) ?? 0) + 1);
  return (
    <div class="counts" role="group" aria-label="Endpoints by state">
      {STATES.filter((word) => counts.has(word)).map((word) => (
        <a key={word} href={withQuery({state: word, sel: null})} aria-current={address().query.state === word ? 'true' : undefined}><Shape word={word} />{count(counts.get(word))} {word}</a>))}
    </div>
  );
}

function Picked({row}) {
  const requests = store.requests.filter((each) => each.endpoint === row.address).slice(-8).reverse();
  return (
    <Inspector title={row.pod ?? row.address}>
      <Facts items={[
        ['State', <State key="state" word={row.state} />],
        ['Address', <code key="address">{row.address}</code>],
        ['Pool', <a key="pool" href={formatAddress({path: ['endpoints'], query: {pool: row.pool}})}>{row.pool}</a>],
        ['Role', row.role],
        ['Ejected', row.ejected_until && <Until at={row.ejected_until} />],
        ['Silent since', row.silent_at && <Clock at={row.silent_at} />],
        ['Paused', row.paused_until && <Until at={row.paused_until} />],
        ['Allowed in flight', row.allowed],
        ['In flight', count(row.in_flight)],
        ['Waiting there', count(row.waiting)],
        ['Running there', count(row.running)],
        ['KV cache', percent(row.kv_cache_utilization_ratio)],
        ['Requests', `${rate(row.requests_per_s)} /s`],
        ['Prefix hit', percent(row.prefix_hit_ratio)],
        ['Pending prompt tokens', count(row.pending_prompt_tokens)],
        ['Failures in a row', count(row.failures)],
        ['Scrape failures', count(row.scrape_failures)],
        ['Metrics are', row.metrics_age_s === null ? 'unknown' : `${seconds(row.metrics_age_s)} old`],
      ]} />
      <h3>Its last requests</h3>
      {requests.length === 0 ? <Empty>None of the last {store.requests.length} went there.</Empty> : (
        <ul class="plain">{requests.map((each) => (
          <li key={each.key}><a href={formatAddress({path: ['request', each.id]})}><code>{each.id}</code></a> <State word={each.outcome} text={each.status || each.outcome} /> {ms(each.total_ms)}</li>))}
        </ul>)}
    </Inspector>
  );
}
