/** What was changed when, and what is served now. */
import {useState} from 'preact/hooks';

import {address, store, withQuery} from '../app.js';
import {diffLines, withContext} from '../diff.js';
import {Ago, Clock, Empty, Panel, Search, usePage} from '../parts/small.jsx';
import {State} from '../parts/state.jsx';
import {hasWords, wordsOf} from '../rows.js';
import {bytes, count} from '../units.js';

export function Configuration() {
  const {generation = ''} = address().query;
  const rows = [...store.table('configurations').list()].sort((a, b) => b.generation - a.generation);
  const isServed = generation === 'served';
  const shown = generation || String(rows[0]?.generation ?? '');
  return (
    <>
      <h1>Configuration</h1>
      <div class="split">
        <nav class="panel generations" aria-label="Configurations">
          <ul>
            <li><a href={withQuery({generation: 'served'})} aria-current={isServed ? 'true' : undefined}><b>As served</b><span class="dim">all objects, as they were written</span></a></li>
            {rows.map((row) => (
              <li key={row.key}>
                <a href={withQuery({generation: row.generation, q: null})} aria-current={!isServed && shown === String(row.generation) ? 'true' : undefined}>
                  <b>Generation {row.generation} {row.served && <State word="ok" text="served" />}</b>
                  <span class="dim"><Clock at={row.changed_at} />, <Ago at={row.changed_at} suffix=" ago" /></span>
                  <span><span class="added">+{count(row.added)}</span> <span class="changed">~{count(row.changed)}</span> <span class="removed">−{count(row.removed)}</span> {row.first}</span>
                </a>
              </li>))}
          </ul>
          {rows.length === 0 && <Empty>None is told of.</Empty>}
        </nav>
        <div>{isServed ? <Served /> : shown && <Difference generation={shown} />}</div>
      </div>
    </>
  );
}

const OBJECTS_SHOWN = 30;

function Difference({generation}) {
  const {isLoading, status, body, error} = usePage(`configuration?generation=${encodeURIComponent(generation)}`, generation);
  const [all, setAll] = useState('');
  if (isLoading) return <Empty>…</Empty>;
  if (error) return <Empty>The gateway did not answer: {error}</Empty>;
  if (status !== 200) return <Empty>{status === 404 ? 'Nothing is known of this generation: it has changed no object, or is older than those that are kept.' : `The gateway answered ${status}.`}</Empty>;
  const objects = body.objects ?? [];
  const shown = all === generation ? objects : objects.slice(0, OBJECTS_SHOWN);
  return (
    <>
      {objects.length === 0 && <Empty>It changed no object.</Empty>}
      {body.left_out > 0 && <Empty>Of {count(objects.length + body.left_out)} objects that it changed the first {count(objects.length)} are kept.</Empty>}
      {shown.map((each) => <ObjectDiff key={`${generation} ${each.object}`} each={each} />)}
      {shown.length < objects.length && <button type="button" class="button" onClick={() => setAll(generation)}>Show the other {count(objects.length - shown.length)} objects</button>}
    </>
  );
}

function ObjectDiff({each}) {
  if (each.shown === false) return <section class="panel diff"><header><h2>{each.object}</h2><span class="dim">changed; what it holds is not shown</span></header></section>;
  const word = each.before === null ? 'added' : each.after === null ? 'removed' : 'changed';
  const lines = withContext(diffLines(each.before, each.after));
  return (
    <section class="panel diff" aria-label={`${each.object} ${word}`}>
      <header><h2>{each.object}</h2><span class={word}>{word}</span></header>
      <div class="code" tabIndex={0} role="region" aria-label={`Difference of ${each.object}`}>
        <table><tbody>
          {lines.map((line, i) => (line.skipped ? <tr key={i} class="skipped"><td colSpan={4}>{line.skipped} line{line.skipped === 1 ? '' : 's'} alike</td></tr> : (
            <tr key={i} class={{'+': 'plus', '-': 'minus', ' ': ''}[line.sign]}>
              <td class="line">{line.before || ''}</td><td class="line">{line.after || ''}</td><td class="sign">{line.sign === '-' ? '−' : line.sign}</td><td class="content">{line.text}</td>
            </tr>)))}
        </tbody></table>
      </div>
    </section>
  );
}

const LINES_SHOWN = 3000;

/** The YAML of all objects; a search keeps the documents that have its words. */
function Served() {
  const {q = ''} = address().query;
  const {isLoading, status, body, error} = usePage('configuration', store.gateway?.generation, 'text');
  const [isWhole, setWhole] = useState(false);
  if (isLoading) return <Empty>…</Empty>;
  if (error || status !== 200) return <Empty>The gateway did not answer: {error ?? status}</Empty>;
  const words = wordsOf(q);
  const documents = body.split(/^---\s*$/m).map((text) => text.trim()).filter(Boolean);
  const found = documents.filter((text) => hasWords(words, text));
  const lines = found.join('\n---\n').split('\n');
  const shown = isWhole ? lines : lines.slice(0, LINES_SHOWN);
  return (
    <Panel title="As served" aside={`${found.length === documents.length ? count(documents.length) : `${count(found.length)} of ${count(documents.length)}`} objects, ${bytes(body.length)}`}>
      <div class="toolbar"><Search label="Objects with" placeholder="a word of theirs" /></div>
      <pre class="code" tabIndex={0} aria-label="Configuration as YAML">{shown.join('\n')}</pre>
      {shown.length < lines.length && <p class="text"><button type="button" class="button" onClick={() => setWhole(true)}>Show the other {count(lines.length - shown.length)} lines</button></p>}
      {found.length === 0 && <Empty>No object has these words.</Empty>}
    </Panel>
  );
}
