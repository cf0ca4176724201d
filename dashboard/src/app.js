/** The one store, feed and address of the page, and who is told when something is another. */
import {formatAddress, parseAddress} from './address.js';
import {Feed} from './feed.js';
import {History} from './history.js';
import {Store} from './store.js';

export const store = new Store();
export const history = new History();
export const feed = new Feed(store, history, () => redraw());

/** How long the page took: for the test that has thousands of endpoints. */
export const times = {get applyMs() {
  return feed.applyMs;
}, renderMs: 0};

let draw = () => {};
let isPending = false;

/** `render` is called at most once a frame. */
export function drawWith(render) {
  draw = () => {
    isPending = false;
    const begin = performance.now();
    render();
    times.renderMs = performance.now() - begin;
  };
  redraw();
}

export function redraw() {
  // Of a page that is hidden no frame is drawn: what is pending waits, once.
  if (isPending) return;
  isPending = true;
  requestAnimationFrame(() => draw());
}

let current = parseAddress(location.hash);
export const address = () => current;

addEventListener('hashchange', () => {
  const before = current;
  current = parseAddress(location.hash);
  if (before.path.join('/') !== current.path.join('/')) scrollTo(0, 0);
  redraw();
});

/** To another view. */
export function go(to) {
  location.hash = formatAddress(to);
}

/** The address of this view with some of its filters changed; null takes one away. */
export function withQuery(patch) {
  return formatAddress({path: current.path, query: {...current.query, ...patch}});
}

/** Changes filters of this view. `replace`: without an entry in the browser's history. */
export function setQuery(patch, replace = false) {
  const hash = withQuery(patch);
  if (hash === location.hash) return;
  if (!replace) {
    location.hash = hash;
    return;
  }
  window.history.replaceState(null, '', hash);
  current = parseAddress(hash);
  redraw();
}
