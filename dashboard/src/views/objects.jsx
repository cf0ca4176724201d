/** Every object with its conditions: those that are not ok first, with what is wrong. */
import {address, store, withQuery} from '../app.js';
import {Inspector} from '../parts/inspector.jsx';
import {Check, Choice, Empty, Facts, Search} from '../parts/small.jsx';
import {State, Shape} from '../parts/state.jsx';
import {inOrder, Table} from '../parts/table.jsx';
import {keyOf, nameOf, partsOf} from '../problems.js';
import {distinct, hasWords, wordsOf} from '../rows.js';
import {count} from '../units.js';

const SHOWN_MAX = 50;
const COLUMNS = [
  {key: 'name', label: 'Name', width: 13, grows: true, cell: (row) => (row.namespace ? `${row.namespace}/${row.name}` : row.name), value: (row) => `${row.namespace ?? ''}/${row.name}`},
  {key: 'kind', label: 'Kind', width: 12},
  {key: 'ok', label: 'State', width: 6, value: (row) => (row.ok ? 1 : 0), cell: (row) => <State word={row.ok ? 'ok' : 'not ok'} />},
  {key: 'conditions', label: 'Conditions', width: 18, value: (row) => row.conditions?.length ?? 0, cell: (row) => summary(row)},
  {key: 'source', label: 'From', width: 16, cell: (row) => (row.source ? <code>{row.source}</code> : '–'), title: (row) => row.source ?? ''},
];

const summary = (row) => [...new Set((row.conditions ?? []).map((each) => `${each.type} ${each.status}`))].join(', ') || '–';

export function Objects() {
  const {kind = '', ns = '', q = '', bad = '', sel} = address().query;
  const all = store.table('objects').list();
  const words = wordsOf(q);
  const found = all.filter((row) => (!kind || row.kind === kind) && (!ns || row.namespace === ns) && (!bad || !row.ok) &&
    hasWords(words, row.kind, row.namespace ?? '', row.name, row.source ?? '', row.why ?? ''));
  const wrong = found.filter((row) => !row.ok);
  const rows = inOrder(found, COLUMNS, address().query.sort || 'ok');
  const picked = sel ? all.find((row) => keyOf(row) === sel) : null;
  return (
    <>
      <h1>Routes & conditions <small>{found.length === all.length ? count(all.length) : `${count(found.length)} of ${count(all.length)}`}</small></h1>
      <div class="toolbar">
        <Search placeholder="name, file or message" />
        <Choice name="kind" label="Kind" values={distinct(all, 'kind')} />
        <Choice name="ns" label="Namespace" values={distinct(all, 'namespace')} />
        <Check name="bad" label="only problems" />
      </div>
      {wrong.length > 0 && (
        <section class="wrongs" aria-label="Objects that are not ok">
          {wrong.slice(0, SHOWN_MAX).map((row) => <Wrong key={row.key} row={row} />)}
          {wrong.length > SHOWN_MAX && <p class="dim">and {count(wrong.length - SHOWN_MAX)} more, below</p>}
        </section>)}
      <div class={sel ? 'with-inspector' : ''}>
        <Table label="Objects" tall columns={COLUMNS} rows={rows} standard="ok" keyOf={keyOf} selected={sel} hrefOf={(row) => withQuery({sel: keyOf(row)})}
          empty={all.length === 0 ? 'No object is served.' : 'No object is like that.'} />
        {sel && (picked ? <Picked row={picked} /> : <Inspector title={sel}><Empty>This object is gone.</Empty></Inspector>)}
      </div>
    </>
  );
}

function Wrong({row}) {
  const {of, condition, field, text, place} = partsOf(row);
  return (
    <article class="wrong">
      <h2><Shape word="not ok" /><a href={withQuery({sel: keyOf(row)})}>{nameOf(row)}</a></h2>
      <p>{field && <code>{field}</code>} {text}</p>
      <p class="dim">{[of, condition].filter(Boolean).join(', ')} {(place || row.source) && <code>{place || row.source}</code>}</p>
    </article>
  );
}

function Picked({row}) {
  const {field, text, place} = partsOf(row);
  return (
    <Inspector title={nameOf(row)}>
      <Facts items={[
        ['State', <State key="state" word={row.ok ? 'ok' : 'not ok'} />],
        ['Field', field && <code key="field">{field}</code>],
        ['Why', row.ok ? null : text],
        ['Where', place && <code key="place">{place}</code>],
        ['Object from', row.source && <code key="source">{row.source}</code>],
      ]} />
      <h3>Conditions</h3>
      {(row.conditions ?? []).length === 0 ? <Empty>It has none.</Empty> : (
        <ul class="conditions">
          {row.conditions.map((each, i) => (
            <li key={i}>
              <div><b>{each.type}</b> <span class={`status ${each.status}`}>{each.status}</span> <span class="dim">{each.reason}</span></div>
              {each.of && <div class="dim">of {each.of}</div>}
              {each.message && <div>{each.message}</div>}
            </li>))}
        </ul>)}
    </Inspector>
  );
}
