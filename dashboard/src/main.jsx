/** The page: its frame, the menu, what state the feed is in, and the view that the address names. */
import 'uplot/dist/uPlot.min.css';
import './style.css';

import {render} from 'preact';
import {useEffect, useRef, useState} from 'preact/hooks';

import {address, drawWith, feed, redraw, store, times} from './app.js';
import {KEYS, startKeys} from './keys.js';
import {Shape, State} from './parts/state.jsx';
import {useTick} from './parts/small.jsx';
import {NOT_USED, problemsOf} from './problems.js';
import {startTheme, theme, toggleTheme} from './theme.js';
import {clock, count, span} from './units.js';
import {Configuration} from './views/configuration.jsx';
import {Endpoints} from './views/endpoints.jsx';
import {Objects} from './views/objects.jsx';
import {Overview} from './views/overview.jsx';
import {Queue} from './views/queue.jsx';
import {Releases} from './views/releases.jsx';
import {Request} from './views/request.jsx';
import {Requests, togglePause} from './views/requests.jsx';
import {VIEWS} from './views.js';

const PAGES = {overview: Overview, endpoints: Endpoints, queue: Queue, releases: Releases, objects: Objects, requests: Requests, configuration: Configuration};
const help = () => document.querySelector('dialog.keys')?.showModal();
const turnTheme = () => toggleTheme(redraw);

function App() {
  const [name = 'overview', ...rest] = address().path;
  const Page = PAGES[name];
  const title = name === 'request' ? `Request ${rest.join('/')}` : VIEWS.find((view) => view.path === name)?.name ?? 'Not found';
  useEffect(() => {
    document.title = `${title} – Penstock`;
  }, [title]);
  const isKnown = store.gateway !== null;
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => {
        event.preventDefault();
        document.getElementById('main').focus();
      }}>To the content</a>
      <Top />
      <Menu name={name === 'request' ? 'requests' : name} />
      <main id="main" tabIndex={-1} class={feed.state === 'reconnecting' ? 'old' : ''}>
        <Banner />
        {feed.state === 'token' ? <Token /> : !isKnown ? <p class="empty">{feed.state === 'reconnecting' ? '' : 'The gateway is asked …'}</p> :
          name === 'request' ? <Request id={rest.join('/')} /> : Page ? <Page /> : <NotFound />}
      </main>
      <Announcer />
      <Keys />
    </>
  );
}

const FEED_WORDS = {token: 'token wanted'};

function Top() {
  const gateway = store.gateway;
  const isDark = theme() === 'dark';
  const word = FEED_WORDS[feed.state] ?? feed.state;
  return (
    <header class="top">
      <a class="brand" href="#/overview"><svg viewBox="0 0 32 32" aria-hidden="true"><path class="pipe" d="M6 7h6v7c0 4 2 6 6 6h8" /><path class="water" d="M6 26h20" /></svg>Penstock</a>
      <span class="version">{gateway && gateway.version}</span>
      {gateway && gateway.phase !== 'serving' && <State word={gateway.phase} text={gateway.phase} />}
      <span class="grow" />
      <span class="feed" title={feed.error || `told at ${clock(store.at)}`}><State word={word} text={word} /></span>
      <button type="button" class="button" onClick={turnTheme} aria-label={isDark ? 'Light colours' : 'Dark colours'} title={isDark ? 'light (t)' : 'dark (t)'}>{isDark ? '☀' : '☾'}</button>
      <button type="button" class="button" onClick={help} aria-label="Keys" title="keys (?)">?</button>
    </header>
  );
}

function Menu({name}) {
  const badges = store.gateway ? badgesOf() : {};
  const menu = useRef(null);
  useEffect(() => {
    // On a phone the menu is a strip that scrolls.
    const link = menu.current.querySelector('[aria-current]');
    if (link) menu.current.scrollLeft = link.offsetLeft - (menu.current.clientWidth - link.offsetWidth) / 2;
  }, [name]);
  return (
    <nav class="menu" aria-label="Views" ref={menu}>
      {VIEWS.map((view) => {
        const badge = badges[view.path];
        return (
          <a key={view.path} href={`#/${view.path}`} aria-current={view.path === name ? 'page' : undefined}>{view.name}
            {badge && badge.n > 0 && <span class={`badge ${badge.tone}`} title={badge.title}>{count(badge.n)}<span class="sr"> {badge.title}</span></span>}</a>
        );
      })}
    </nav>
  );
}

function badgesOf() {
  const out = store.table('endpoints').list().filter((row) => NOT_USED.includes(row.state)).length;
  return {
    overview: {n: problemsOf(store).length, tone: 'bad', title: 'problems'},
    endpoints: {n: out, tone: 'bad', title: 'ejected or silent'},
    queue: {n: store.totals()?.queued ?? 0, tone: 'info', title: 'queued'},
    releases: {n: store.table('releases').list().filter((row) => row.phase === 'Progressing').length, tone: 'info', title: 'in progress'},
    objects: {n: store.table('objects').list().filter((row) => !row.ok).length, tone: 'bad', title: 'not ok'},
  };
}

function Banner() {
  useTick();
  if (feed.state === 'reconnecting' && feed.tries > 0) {
    const left = Math.max(0, feed.retryAt - performance.now());
    return (
      <p class="banner bad"><Shape word="reconnecting" /><span><b>The gateway does not answer.</b> {store.at > 0 && `What is shown is of ${clock(store.at)}, ${span(feed.now() - store.at)} ago. `}
        Asked again {left > 500 ? `in ${span(left)}` : 'now'}.</span> <button type="button" class="button" onClick={() => feed.open()}>Now</button></p>
    );
  }
  if (feed.state === 'behind') {
    return <p class="banner warn"><Shape word="behind" /><span>{performance.now() - feed.heardAt > 10_000 ? `Nothing was heard for ${span(performance.now() - feed.heardAt)}.` : 'Changes came faster than they could be read: some were left out, what is shown is whole again.'}</span></p>;
  }
  return null;
}

function Token() {
  const [token, setToken] = useState('');
  const field = useRef(null);
  useEffect(() => field.current.focus(), []);
  return (
    <form class="token panel" onSubmit={(event) => {
      event.preventDefault();
      if (token.trim()) feed.setToken(token.trim());
    }}>
      <h1>The gateway wants a token</h1>
      <p>What stands in the file of <code>--admin-token-file</code>. It is kept in this tab until it is closed, and nowhere else.</p>
      {feed.tokenRefused && <p class="refused" role="alert"><Shape word="not ok" />This token was refused.</p>}
      <label><span>Token</span><input ref={field} type="password" autocomplete="off" value={token} onInput={(event) => setToken(event.target.value)} /></label>
      <button type="submit" class="button primary">Go on</button>
    </form>
  );
}

function NotFound() {
  return <><h1>There is no such view</h1><p class="text"><a href="#/overview">Overview</a></p></>;
}

/** Problems are read out when they come and go; numbers are not. */
function Announcer() {
  const problems = store.gateway ? problemsOf(store) : [];
  const last = useRef('');
  const text = feed.state === 'reconnecting' ? 'The gateway does not answer.' : problems.length === 0 ? '' : `${problems.length} problems: ${problems.slice(0, 3).map((each) => each.what).join('; ')}`;
  const isNew = text !== last.current;
  if (isNew) last.current = text;
  return <div class="sr" aria-live="polite">{last.current}</div>;
}

function Keys() {
  return (
    <dialog class="keys" aria-labelledby="keys" onClick={(event) => event.target === event.currentTarget && event.currentTarget.close()}>
      <div>
        <header><h2 id="keys">Keys</h2><form method="dialog" onSubmit={(event) => {
          event.preventDefault();
          event.target.closest('dialog').close();
        }}><button class="button" aria-label="Close">✕</button></form></header>
        <dl>{KEYS.map(([key, what]) => <div key={key}><dt><kbd>{key}</kbd></dt><dd>{what}</dd></div>)}</dl>
        <p class="dim"><a href="assets/licences.txt">Licences</a> of what this page is made with.</p>
      </div>
    </dialog>
  );
}

globalThis.penstock = {times, feed, store};
startTheme(redraw);
startKeys({help, theme: turnTheme, pause: togglePause});
const root = document.getElementById('app');
drawWith(() => render(<App />, root));
feed.start();
