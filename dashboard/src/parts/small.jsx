/** Small parts that several views use. */
import {useEffect, useReducer, useRef, useState} from 'preact/hooks';

import {address, feed, setQuery} from '../app.js';
import {ABSENT, clock, dateTime, iso, percent, span} from '../units.js';

/** One clock for all that counts: each part that uses it is drawn once a second. */
const tickers = new Set();
let timer = null;

export function useTick() {
  const [, tick] = useReducer((n) => n + 1, 0);
  useEffect(() => {
    tickers.add(tick);
    timer ??= setInterval(() => {
      if (!document.hidden) for (const each of tickers) each();
    }, 1000);
    return () => {
      tickers.delete(tick);
      if (tickers.size > 0) return;
      clearInterval(timer);
      timer = null;
    };
  }, []);
}

/** How long ago, by the gateway's clock. */
export function Ago({at, suffix = ''}) {
  useTick();
  if (at === null || at === undefined) return ABSENT;
  return <time dateTime={iso(at)} title={dateTime(at)}>{span(feed.now() - at)}{suffix}</time>;
}

/** How long yet, by the gateway's clock. */
export function Until({at}) {
  useTick();
  if (at === null || at === undefined) return ABSENT;
  const left = at - feed.now();
  return <time dateTime={iso(at)} title={dateTime(at)}>{left > 0 ? `${span(left)} left` : 'now'}</time>;
}

export const Clock = ({at}) => (at === null || at === undefined ? ABSENT :
  <time dateTime={iso(at)} title={dateTime(at)}>{clock(at)}</time>);

/** A share of 0 to 1 as a bar with its number. */
export function Bar({ratio, text, tone}) {
  if (ratio === null || ratio === undefined) return ABSENT;
  const width = Math.round(Math.max(0, Math.min(1, ratio)) * 100);
  // One element and a background: a table of many is laid out twice a second.
  return <><i class={`bar ${tone ?? (ratio > 0.9 ? 'bad' : ratio > 0.8 ? 'warn' : '')}`} style={{backgroundSize: `${width}% 100%`}} />{text ?? percent(ratio)}</>;
}

/** Label and choice. The address's filter `name` holds what is chosen. */
export function Choice({name, label, values, all = 'all', sel = true}) {
  const chosen = address().query[name] ?? '';
  const options = values.map((value) => (Array.isArray(value) ? value : [value, String(value)]));
  if (chosen && !options.some(([value]) => String(value) === chosen)) options.push([chosen, chosen]);
  return (
    <label class="field">
      <span>{label}</span>
      <select value={chosen} onChange={(event) => setQuery({[name]: event.target.value || null, ...(sel && {sel: null})})}>
        <option value="">{all}</option>
        {options.map(([value, text]) => <option key={value} value={value}>{text}</option>)}
      </select>
    </label>
  );
}

export function Check({name, label}) {
  const isOn = address().query[name] === '1';
  return (
    <label class="field check">
      <input type="checkbox" checked={isOn} onChange={(event) => setQuery({[name]: event.target.checked ? '1' : null})} />
      <span>{label}</span>
    </label>
  );
}

/** What is typed stands in the address at once, without an entry in the browser's history. */
export function Search({name = 'q', label = 'Search', placeholder = ''}) {
  return (
    <label class="field search">
      <span>{label}</span>
      <input type="search" value={address().query[name] ?? ''} placeholder={placeholder} spellcheck={false}
        onInput={(event) => setQuery({[name]: event.target.value || null}, true)} />
    </label>
  );
}

/** A box with a heading. */
export function Panel({title, aside, children}) {
  return (
    <section class="panel">
      <header><h2>{title}</h2>{aside && <div class="aside">{aside}</div>}</header>
      {children}
    </section>
  );
}

/** Names and values. `items`: [name, value] pairs; those of null are left out. */
export function Facts({items}) {
  return (
    <dl class="facts">
      {items.filter((item) => item && item[1] !== null && item[1] !== undefined && item[1] !== '').map(([name, value]) =>
        <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}
    </dl>
  );
}

export function Empty({children}) {
  return <p class="empty">{children}</p>;
}

/** A page of the admin port, asked for when `key` is another. */
export function usePage(path, key, kind = 'json') {
  const [answer, setAnswer] = useState({isLoading: true});
  useEffect(() => {
    if (path === null) return undefined;
    const abort = new AbortController();
    feed.get(path, {signal: abort.signal}).then(async (response) => {
      const body = response.ok ? await (kind === 'json' ? response.json() : response.text()) : null;
      if (!abort.signal.aborted) setAnswer({path, status: response.status, body});
    }).catch((error) => {
      if (!abort.signal.aborted) setAnswer({path, status: 0, error: String(error?.message ?? error)});
    });
    return () => abort.abort();
  }, [path, key]);
  return answer.path === path || answer.isLoading ? answer : {isLoading: true};
}

/** What was the value at the last change of `key`. */
export function useKept(value, isKept) {
  const kept = useRef(value);
  if (!isKept) kept.current = value;
  return kept.current;
}
