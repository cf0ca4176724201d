/** Who waits in the gateway: by pool, priority and tenant. */
import {address, history, store} from '../app.js';
import {Chart} from '../parts/chart.jsx';
import {Ago, Choice, Empty, Panel, Search} from '../parts/small.jsx';
import {State} from '../parts/state.jsx';
import {inOrder, Table} from '../parts/table.jsx';
import {hasWords, wordsOf} from '../rows.js';
import {bytes, count} from '../units.js';

const COLUMNS = [
  {key: 'tenant', label: 'Tenant', width: 11, grows: true, cell: (row) => row.tenant || 'no name'},
  {key: 'pool', label: 'Pool', width: 11},
  {key: 'priority', label: 'Priority', width: 6, number: true, cell: (row) => row.priority ?? '–'},
  {key: 'state', label: 'State', width: 8, cell: (row) => <State word={row.state} title={MEANINGS[row.state]} />},
  {key: 'waiting', label: 'Waiting', width: 6, number: true, cell: (row) => count(row.waiting)},
  {key: 'waiting_bytes', label: 'Bodies', width: 6, number: true, cell: (row) => bytes(row.waiting_bytes), hint: 'bytes of the bodies that wait'},
  {key: 'oldest_at', label: 'Oldest', width: 7, number: true, value: (row) => (row.oldest_at === null ? null : -row.oldest_at), cell: (row) => <Ago at={row.oldest_at} />, hint: 'how long the first of them has waited'},
  {key: 'in_flight_requests', label: 'In flight', width: 6, number: true, cell: (row) => count(row.in_flight_requests)},
  {key: 'in_flight_tokens', label: 'Tokens', width: 6, number: true, cell: (row) => count(row.in_flight_tokens), hint: 'of those in flight, as charged'},
  {key: 'served_tokens', label: 'Served', width: 6.5, number: true, cell: (row) => count(row.served_tokens), hint: 'decides who is next: the least goes first'},
];

const MEANINGS = {
  room: 'the next one goes at once',
  reserved: 'what room there is is kept for higher priorities',
  saturated: 'the pool takes no more',
  ceiling: 'the tenant has as much in flight as its Secret grants',
};

export function Queue() {
  const {pool = '', q = '', last = '300'} = address().query;
  const pools = store.table('pools').list().filter((row) => row.queued !== null);
  if (pools.length === 0) return <><h1>Queue</h1><NoQueue /></>;
  const words = wordsOf(q);
  const found = store.table('queues').list().filter((row) => (!pool || row.pool === pool) && hasWords(words, row.tenant ?? '', row.pool, `priority ${row.priority}`));
  const rows = inOrder(found, COLUMNS, address().query.sort || '-priority');
  return (
    <>
      <h1>Queue</h1>
      <div class="cards">
        {pools.filter((row) => !pool || row.pool === pool).map((row) => (
          <div class="card" key={row.pool}>
            <b>{row.pool}</b> <State word={row.queue_saturated ? 'saturated' : 'room'} text={row.queue_saturated ? 'saturated' : 'has room'} />
            <p><span class="big">{count(row.queued)}</span> queued, {count(row.in_flight)} in flight, {count(row.waiting)} waiting at endpoints</p>
          </div>))}
      </div>
      <div class="toolbar">
        <Search placeholder="tenant" />
        <Choice name="pool" label="Pool" values={pools.map((row) => row.pool)} />
      </div>
      <WaitingChart pool={pool} windowS={Number(last) || 300} />
      <Panel title="By priority and tenant" aside={`${count(rows.length)}`}>
        <Table label="Queue by priority and tenant" columns={COLUMNS} rows={rows} standard="-priority" empty="Nobody has anything waiting or in flight." />
      </Panel>
    </>
  );
}

/** Priorities of the pools that are shown, the highest first; five have colours of their own. */
function WaitingChart({pool, windowS}) {
  const bands = [...history.bands.values()].filter((band) => !pool || band.pool === pool);
  const byPriority = new Map();
  for (const band of bands) byPriority.set(band.priority, [...(byPriority.get(band.priority) ?? []), band.series]);
  const times = history.totals.times;
  const lines = [...byPriority].sort(([a], [b]) => b - a).slice(0, 5).map(([priority, list]) => ({label: `priority ${priority}`, values: summed(list, times)}));
  if (lines.length === 0) return null;
  return <div class="charts one"><Chart title="Waiting in the gateway" format={count} windowS={windowS} times={times} version={history.totals.version} lines={lines} /></div>;
}

/** The sum of several series at those times. All have a point at each time since they began. */
function summed(list, times) {
  const out = new Array(times.length).fill(null);
  for (const series of list) {
    const values = series.of('waiting');
    const shift = times.length - values.length;
    for (let i = Math.max(0, -shift); i < values.length; ++i) {
      if (values[i] !== null) out[i + shift] = (out[i + shift] ?? 0) + values[i];
    }
  }
  return out;
}

function NoQueue() {
  return (
    <Panel title="No pool has a queue">
      <p class="text">Requests go to an endpoint as they come, and are refused or wait there when all are full. With a queue they wait in the gateway, by
        priority and in fair shares of tenants. An InferencePool gets one with an annotation:</p>
      <pre class="text"><code>{'metadata:\n  annotations:\n    penstock.dev/queueing: "true"'}</code></pre>
    </Panel>
  );
}
