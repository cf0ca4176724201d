/** The gateway as a whole: what is wrong, how much there is, how it went, and its pools. */
import {formatAddress} from '../address.js';
import {address, history, store, withQuery} from '../app.js';
import {Chart} from '../parts/chart.jsx';
import {Ago, Bar, Choice, Empty, Facts, Panel} from '../parts/small.jsx';
import {Shape, State} from '../parts/state.jsx';
import {inOrder, Table} from '../parts/table.jsx';
import {problemsOf} from '../problems.js';
import {bytes, count, dateTime, ms, percent, rate} from '../units.js';

const WINDOWS = [['60', '1 min'], ['300', '5 min'], ['900', '15 min']];

export function Overview() {
  const {pool = '', last = '300'} = address().query;
  const totals = pool ? store.table('pools').list().find((row) => row.pool === pool) ?? null : store.totals();
  const series = pool ? history.pools.get(pool) : history.totals;
  return (
    <>
      <h1>Overview</h1>
      <Problems />
      <div class="toolbar">
        <Choice name="pool" label="Pool" all="all together" values={store.table('pools').list().map((row) => row.pool)} />
        <div class="segments" role="group" aria-label="How far back charts go">
          {WINDOWS.map(([value, text]) => <a key={value} href={withQuery({last: value === '300' ? null : value})} aria-current={value === last ? 'true' : undefined}>{text}</a>)}
        </div>
      </div>
      <Tiles of={totals} isPool={pool !== ''} />
      {series ? <Charts series={series} windowS={Number(last) || 300} isPool={pool !== ''} /> : <Empty>No history of this pool is kept.</Empty>}
      <Pools />
      <Peers />
      <Gateway />
    </>
  );
}

const PROBLEMS_SHOWN = 12;

function Problems() {
  const problems = problemsOf(store);
  return (
    <section class={`problems ${problems.length > 0 ? 'some' : ''}`} aria-labelledby="problems">
      <h2 id="problems"><Shape word={problems.length > 0 ? 'ejected' : 'ok'} />{problems.length === 0 ? 'No problems' : `${problems.length} problem${problems.length === 1 ? '' : 's'}`}</h2>
      {problems.length > 0 && (
        <ul>
          {problems.slice(0, PROBLEMS_SHOWN).map((each, i) => (
            <li key={i}><Shape word={each.level === 'bad' ? 'ejected' : 'stale'} /><a href={each.href}>{each.what}</a> <span>{each.why}</span></li>
          ))}
          {problems.length > PROBLEMS_SHOWN && <li class="more">and {problems.length - PROBLEMS_SHOWN} more: <a href="#/objects?bad=1">objects that are not ok</a></li>}
        </ul>
      )}
    </section>
  );
}

function Tiles({of, isPool}) {
  const t = of ?? {};
  return (
    <dl class="tiles">
      <Tile name="Requests" value={rate(t.requests_per_s)} unit="/s" bad={t.errors_per_s > 0.05 * t.requests_per_s}
        more={`${rate(t.errors_per_s)} errors${isPool ? '' : `, ${rate(t.rejected_per_s)} rejected`}`} />
      <Tile name="TTFT p90" {...measure(t.ttft_ms_p90)} more={`p50 ${ms(t.ttft_ms_p50)}, p99 ${ms(t.ttft_ms_p99)}`} />
      <Tile name="TPOT p90" {...measure(t.tpot_ms_p90)} more={`p50 ${ms(t.tpot_ms_p50)}, p99 ${ms(t.tpot_ms_p99)}`} />
      <Tile name="Tokens out" value={rate(t.completion_tokens_per_s)} unit="/s" more={`${rate(t.prompt_tokens_per_s)} prompt tokens/s`} />
      <Ready pool={isPool ? t.pool : ''} />
      <Tile name="In flight" value={count(t.in_flight)} more={`${count(t.running)} running at endpoints`} />
      <Tile name="Waiting" value={count(t.waiting)} more="at endpoints" />
      <Tile name="Queued" value={count(t.queued)} more={t.queued === null || t.queued === undefined ? 'no queue' : 'in the gateway'} />
    </dl>
  );
}

function Ready({pool}) {
  const rows = store.table('pools').list().filter((row) => !pool || row.pool === pool);
  const sum = (column) => rows.reduce((total, row) => total + (row[column] ?? 0), 0);
  const out = sum('ejected') + sum('silent');
  return <Tile name="Endpoints ready" value={count(sum('ready'))} unit={` of ${count(sum('endpoints'))}`} bad={out > 0 && sum('ready') === 0}
    more={`${count(sum('ejected'))} ejected, ${count(sum('silent'))} silent, ${count(sum('stale'))} stale`} />;
}

const measure = (value) => {
  const [number, unit = ''] = ms(value).split(/ (.*)/s);
  return {value: number, unit: ` ${unit}`};
};

function Tile({name, value, unit, more, bad}) {
  return <div class={`tile ${bad ? 'bad' : ''}`}><dt>{name}</dt><dd><b>{value}</b><span class="unit">{value === '–' ? '' : unit}</span><small>{more}</small></dd></div>;
}

function Charts({series, windowS, isPool}) {
  const chart = (title, format, names, note) => (
    <Chart key={title} title={title} note={note} format={format} windowS={windowS} times={series.times} version={series.version}
      lines={names.map(([name, label]) => ({label, values: series.of(name)}))} />
  );
  return (
    <div class="charts">
      {chart('Requests', rate, [['requests_per_s', 'ended']], 'per second')}
      {chart('Errors', rate, isPool ? [['errors_per_s', 'errors']] : [['errors_per_s', 'errors'], ['rejected_per_s', 'rejected']], 'per second')}
      {chart('Load', count, [['in_flight', 'in flight'], ['waiting', 'waiting'], ['queued', 'queued']])}
      {chart('Time to first token', ms, [['ttft_ms_p50', 'p50'], ['ttft_ms_p90', 'p90'], ['ttft_ms_p99', 'p99']])}
      {chart('Time per output token', ms, [['tpot_ms_p50', 'p50'], ['tpot_ms_p90', 'p90'], ['tpot_ms_p99', 'p99']])}
      {chart('Tokens', rate, [['completion_tokens_per_s', 'out'], ['prompt_tokens_per_s', 'prompt']], 'per second')}
    </div>
  );
}

/** In a word, with the reason. */
export function poolState(pool) {
  if (pool.unservable) return ['unservable', pool.unservable];
  if (pool.endpoints === 0) return ['not in use', 'no endpoints'];
  const out = pool.ejected + pool.silent;
  if (out >= pool.endpoints) return ['not in use', `all ${pool.endpoints} ejected or silent`];
  if (out > 0 || pool.stale > 0) {
    const parts = [[pool.ejected, 'ejected'], [pool.silent, 'silent'], [pool.stale, 'stale']].filter(([n]) => n > 0).map(([n, word]) => `${n} ${word}`);
    return ['degraded', parts.join(', ')];
  }
  return ['serving', pool.limited > 0 ? `${pool.limited} push back` : ''];
}

const POOL_COLUMNS = [
  {key: 'pool', label: 'Pool', width: 12, grows: true},
  {key: 'state', label: 'State', width: 11, value: (row) => poolState(row)[0], title: (row) => poolState(row)[1], cell: (row) => {
    const [word, why] = poolState(row);
    return <State word={word} text={why && word === 'degraded' ? why : word} />;
  }},
  {key: 'ready', label: 'Ready', width: 5.5, number: true, cell: (row) => `${count(row.ready)} / ${count(row.endpoints)}`, hint: 'endpoints that are ready, of all'},
  {key: 'requests_per_s', label: 'Req/s', width: 5, number: true, cell: (row) => rate(row.requests_per_s)},
  {key: 'errors_per_s', label: 'Errors/s', width: 5.5, number: true, cell: (row) => rate(row.errors_per_s)},
  {key: 'in_flight', label: 'In flight', width: 5.5, number: true, cell: (row) => count(row.in_flight)},
  {key: 'waiting', label: 'Waiting', width: 5.5, number: true, cell: (row) => count(row.waiting)},
  {key: 'queued', label: 'Queued', width: 5.5, number: true, cell: (row) => count(row.queued)},
  {key: 'kv_cache_utilization_ratio', label: 'KV cache', width: 7.5, number: true, cell: (row) => <Bar ratio={row.kv_cache_utilization_ratio} />, hint: 'mean over its endpoints'},
  {key: 'ttft_ms_p50', label: 'TTFT p50', width: 6, number: true, cell: (row) => ms(row.ttft_ms_p50)},
  {key: 'prefix_hit_ratio', label: 'Prefix hit', width: 6, number: true, cell: (row) => percent(row.prefix_hit_ratio), hint: 'of the prompts\' blocks, as the gateway believed'},
  {key: 'cached_ratio', label: 'Cached', width: 5, number: true, cell: (row) => percent(row.cached_ratio), hint: 'of the prompt tokens, as model servers report'},
  {key: 'ttft_ms_p99', label: 'p99', width: 5.5, number: true, cell: (row) => ms(row.ttft_ms_p99)},
  {key: 'tpot_ms_p50', label: 'TPOT p50', width: 6, number: true, cell: (row) => ms(row.tpot_ms_p50)},
  {key: 'completion_tokens_per_s', label: 'Tokens/s', width: 6, number: true, cell: (row) => rate(row.completion_tokens_per_s)},
  {key: 'runtime', label: 'Kind', width: 16, cell: (row) => [row.kind, row.runtime, row.strategy].filter(Boolean).join(', ')},
];

function Pools() {
  const rows = inOrder(store.table('pools').list(), POOL_COLUMNS, 'pool');
  return (
    <Panel title="Pools" aside={`${rows.length}`}>
      <Table label="Pools" columns={POOL_COLUMNS} rows={rows} standard="pool" keyOf={(row) => row.pool} empty="No pool is configured."
        hrefOf={(row) => formatAddress({path: ['endpoints'], query: {pool: row.pool}})} />
    </Panel>
  );
}

const PEER_COLUMNS = [
  {key: 'name', label: 'Peer', width: 12, grows: true, cell: (row) => row.name ?? <span class="dim">not met yet</span>},
  {key: 'address', label: 'Address', width: 12},
  {key: 'state', label: 'State', width: 9, title: (row) => row.error ?? '', cell: (row) => <State word={row.state} text={row.state} />},
  {key: 'heard_ago_ms', label: 'Heard', width: 6, number: true, cell: (row) => ms(row.heard_ago_ms), hint: 'how long ago; 50 ms is usual when there is nothing to say'},
  {key: 'in_flight', label: 'In flight', width: 5.5, number: true, cell: (row) => count(row.in_flight), hint: 'requests that it has at endpoints that this gateway has, too'},
  {key: 'pending_prompt_tokens', label: 'Pending', width: 6, number: true, cell: (row) => count(row.pending_prompt_tokens), hint: 'prompt tokens there that are yet to be computed'},
  {key: 'error', label: 'Why not', width: 16, cell: (row) => row.error ?? ''},
];

/** Other gateways of the same endpoints; a gateway that is alone has none to show. */
function Peers() {
  const peers = store.table('peers').list();
  if (peers.length === 0) return null;
  return (
    <Panel title="Peers" aside={`${peers.filter((row) => row.state === 'linked').length} of ${peers.length} linked`}>
      <Table label="Peers" columns={PEER_COLUMNS} rows={inOrder(peers, PEER_COLUMNS, 'name', 'peers')} standard="name" sortName="peers" />
    </Panel>
  );
}

function Gateway() {
  const gateway = store.gateway;
  if (!gateway) return null;
  return (
    <Panel title="Gateway">
      <Facts items={[
        ['Version', `${gateway.version}${gateway.commit ? ` (${gateway.commit})` : ''}`],
        ['Phase', <State key="phase" word={gateway.phase} text={gateway.phase} />],
        ['Started', <span key="started">{dateTime(gateway.started_at)}, <Ago at={gateway.started_at} suffix=" ago" /></span>],
        ['Workers', count(gateway.workers)],
        ['Configuration', <a key="generation" href="#/configuration">generation {gateway.generation}</a>],
        ['Refused objects', count(gateway.refused)],
        ['At their last good version', count(gateway.stale)],
        ['Client connections', count(gateway.downstream_connections)],
        ['Held bytes', bytes(gateway.held_bytes)],
        ['Viewers', count(gateway.viewers)],
        ['Listeners', <ul key="listeners">{(gateway.listeners ?? []).map((each) => (
          <li key={each.address}><State word={each.error ? 'not ok' : 'ok'} text={each.address} /> <span class="dim">{each.error ?? each.names.join(', ')}</span></li>))}</ul>],
      ]} />
    </Panel>
  );
}
