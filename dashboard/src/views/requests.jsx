/** The last decisions, as they come. */
import {useEffect, useRef, useState} from 'preact/hooks';

import {formatAddress} from '../address.js';
import {address, go, redraw, store} from '../app.js';
import {Choice, Clock, Search} from '../parts/small.jsx';
import {State} from '../parts/state.jsx';
import {inOrder, Table} from '../parts/table.jsx';
import {distinct, hasWords, wordsOf} from '../rows.js';
import {count, ms} from '../units.js';

const COLUMNS = [
  {key: 'id', label: 'Request', width: 10.5, cell: (row) => <code>{row.id}</code>, title: (row) => row.id},
  {key: 'ended_at', label: 'Ended', width: 6.2, number: true, cell: (row) => <Clock at={row.ended_at} />},
  {key: 'status', label: 'Status', width: 4.5, number: true, cell: (row) => row.status || '–'},
  {key: 'outcome', label: 'Outcome', width: 8.5, cell: (row) => <State word={row.outcome} />, title: (row) => row.reason ?? row.outcome},
  {key: 'requested_model', label: 'Model', width: 9},
  {key: 'pod', label: 'Endpoint', width: 8, cell: (row) => row.pod ?? row.endpoint ?? '–'},
  {key: 'tries', label: 'Tries', width: 4, number: true},
  {key: 'ttft_ms', label: 'TTFT', width: 5.5, number: true, cell: (row) => ms(row.ttft_ms)},
  {key: 'total_ms', label: 'Total', width: 5.5, number: true, cell: (row) => ms(row.total_ms)},
  {key: 'prompt_tokens', label: 'Prompt', width: 5, number: true, cell: (row) => count(row.prompt_tokens)},
  {key: 'cached_tokens', label: 'Cached', width: 5, number: true, cell: (row) => count(row.cached_tokens)},
  {key: 'completion_tokens', label: 'Out', width: 4.5, number: true, cell: (row) => count(row.completion_tokens)},
  {key: 'queue_ms', label: 'Dispatched', width: 6.5, number: true, cell: (row) => ms(row.queue_ms), hint: 'from the request\'s first byte until it was sent on'},
  {key: 'pool', label: 'Pool', width: 9},
  {key: 'why', label: 'Why there', width: 24, grows: true, cell: (row) => row.why ?? row.reason ?? '–', title: (row) => row.why ?? row.reason ?? ''},
];

/** The list as it was when it was paused; null while it runs. */
let paused = null;

export function togglePause() {
  paused = paused ? null : store.requests;
  redraw();
}

export function Requests() {
  const {pool = '', outcome = '', status = '', q = ''} = address().query;
  useEffect(() => () => {
    paused = null;
  }, []);
  const all = paused ?? store.requests;
  const words = wordsOf(q);
  const found = all.filter((row) => (!pool || row.pool === pool) && (!outcome || row.outcome === outcome) && (!status || kindOf(row.status) === status) &&
    hasWords(words, row.id, row.requested_model ?? '', row.pod ?? '', row.endpoint ?? '', row.route ?? '', row.reason ?? ''));
  const rows = inOrder([...found].reverse(), COLUMNS, address().query.sort || '-ended_at');
  const come = paused ? store.requests.filter((row) => row.key > (paused.at(-1)?.key ?? 0)).length : 0;
  return (
    <>
      <h1>Requests <small>the last {count(all.length)} that have ended</small></h1>
      <div class="toolbar">
        <Search placeholder="model, endpoint, id" />
        <Choice name="pool" label="Pool" values={distinct(all, 'pool')} />
        <Choice name="outcome" label="Outcome" values={distinct(all, 'outcome').map((word) => [word, word.replaceAll('_', ' ')])} />
        <Choice name="status" label="Status" values={[...new Set(all.map((row) => kindOf(row.status)))].sort()} />
        <button type="button" class="button" aria-pressed={paused !== null} onClick={togglePause}>{paused ? `Go on (${count(come)} new)` : 'Pause'}</button>
        <GoTo />
        {store.leftOut > 0 && <span class="dim" title="The feed tells of 20 in half a second at most">{count(store.leftOut)} more were not told</span>}
      </div>
      <Table label="Requests that have ended" tall columns={COLUMNS} rows={rows} standard="-ended_at" hrefOf={(row) => formatAddress({path: ['request', row.id]})}
        empty={all.length === 0 ? 'None has ended since the gateway was started.' : 'None is like that.'} />
    </>
  );
}

const kindOf = (status) => (status ? `${Math.floor(status / 100)}xx` : 'none');

/** A field for an id from a log, or from an answer's x-request-id. */
export function GoTo() {
  const [id, setId] = useState('');
  const field = useRef(null);
  return (
    <form class="field goto" onSubmit={(event) => {
      event.preventDefault();
      if (id.trim()) go({path: ['request', id.trim()]});
    }}>
      <label><span>Request id</span> <input ref={field} type="text" value={id} spellcheck={false} autocomplete="off" placeholder="x-request-id" onInput={(event) => setId(event.target.value)} /></label>
      <button type="submit" class="button">Explain</button>
    </form>
  );
}
