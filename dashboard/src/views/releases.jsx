/** Releases that watch themselves: where each stands, and what it has seen. */
import {address, store, withQuery} from '../app.js';
import {Empty, Panel, usePage} from '../parts/small.jsx';
import {State} from '../parts/state.jsx';
import {naturally} from '../rows.js';
import {count, dateTime, percent, seconds} from '../units.js';

const ENDED = ['Promoted', 'RolledBack', 'Aborted'];

export function Releases() {
  const rows = [...store.table('releases').list()].sort((a, b) => ENDED.includes(a.phase) - ENDED.includes(b.phase) || naturally(a.release, b.release));
  // What each has seen is no part of the feed: it is asked for when one of them takes a step, and
  // with each new ten seconds.
  const key = rows.map((row) => `${row.release} ${row.phase} ${row.step}`).join() + Math.floor(store.at / 10_000);
  const {body} = usePage(rows.length > 0 ? 'releases' : null, key);
  const details = new Map((Array.isArray(body) ? body : body?.items ?? []).map((each) => [each.name, each]));
  return (
    <>
      <h1>Releases <small>{rows.length}</small></h1>
      {rows.length === 0 && (
        <Panel title="No release">
          <p class="text">A <code>ModelRelease</code> shifts a route's requests from one version to another in steps, and back if the new one is worse.</p>
        </Panel>)}
      {rows.map((row) => <Release key={row.release} row={row} detail={details.get(row.release)} />)}
    </>
  );
}

function Release({row, detail}) {
  const isSelected = address().query.sel === row.release;
  return (
    <section class={`panel release ${isSelected ? 'selected' : ''}`} aria-label={`Release ${row.release}`}>
      <header>
        <h2><a href={withQuery({sel: row.release})}>{row.release}</a></h2>
        <State word={row.phase} />
        <div class="aside">{row.about}</div>
      </header>
      <div class="body">
        <Steps row={row} />
        <Weights row={row} />
        <p class="text">{row.text}</p>
        {detail && <Seen detail={detail} row={row} />}
      </div>
    </section>
  );
}

function Steps({row}) {
  const steps = row.steps ?? 0;
  if (steps === 0 || steps > 30) return <p>step {row.step} of {steps}</p>;
  const isOver = row.phase === 'Promoted';
  return (
    <ol class="steps" aria-label={`Step ${row.step} of ${steps}`}>
      {Array.from({length: steps}, (_, i) => {
        const word = isOver || i + 1 < row.step ? 'done' : i + 1 === row.step && !ENDED.includes(row.phase) ? 'now' : '';
        return <li key={i} class={word} aria-current={word === 'now' ? 'step' : undefined}>step {i + 1}</li>;
      })}
      <li class={isOver ? 'done' : ''}>promoted</li>
    </ol>
  );
}

function Weights({row}) {
  const candidate = row.candidate_percent ?? 0;
  return (
    <div class="weights">
      <div class="track" role="img" aria-label={`${row.stable} gets ${100 - candidate} %, ${row.candidate} ${candidate} %`}>
        <span class="stable" style={{width: `${100 - candidate}%`}} /><span class="candidate" style={{width: `${candidate}%`}} />
      </div>
      <div class="names"><span><i class="stable" />stable <b>{row.stable}</b> {percent((100 - candidate) / 100)}</span>
        <span><i class="candidate" />candidate <b>{row.candidate}</b> {percent(candidate / 100)}</span></div>
    </div>
  );
}

const SEEN = [['Requests', 'samples', count], ['Errors', 'errors', count], ['TTFT, mean', 'ttftSeconds', (v) => seconds(v || null)], ['TPOT, mean', 'tpotSeconds', (v) => seconds(v || null)],
  ['By length', 'endedByLength', count], ['Abnormally', 'endedAbnormally', count]];

function Seen({detail, row}) {
  const history = [...(detail.history ?? [])].reverse();
  return (
    <div class="columns">
      <div>
        <h3>Seen in this step</h3>
        <div class="table" tabIndex={0} role="region" aria-label="Seen in this step"><table class="small">
          <thead><tr><th scope="col">Version</th>{SEEN.map(([name]) => <th scope="col" key={name} class="number">{name}</th>)}</tr></thead>
          <tbody>{[['stable', row.stable], ['candidate', row.candidate]].map(([side, name]) => (
            <tr key={side}><th scope="row">{name}</th>{SEEN.map(([title, key, format]) => <td key={title} class="number">{format(detail[side]?.[key] ?? null)}</td>)}</tr>))}</tbody>
        </table></div>
        <h3>Verdict</h3>
        {(detail.verdict ?? []).length === 0 ? <Empty>Nothing is compared yet.</Empty> : <ul class="plain">{detail.verdict.map((line) => <li key={line}>{line}</li>)}</ul>}
      </div>
      <div>
        <h3>History</h3>
        {history.length === 0 ? <Empty>It has not begun.</Empty> : (
          <ol class="history">{history.map((each, i) => (
            <li key={history.length - i}><time>{dateTime(each.unixNanos / 1e6)}</time> <State word={each.to} text={each.from === each.to ? `step ${each.step}` : each.to} /> <span>{each.reason}</span></li>))}</ol>)}
      </div>
    </div>
  );
}
