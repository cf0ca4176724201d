/** States: a shape, a colour and a word, so that none of them is needed to tell. */

const SHAPES = {
  disc: <circle cx="6" cy="6" r="4.5" />,
  half: <g><circle cx="6" cy="6" r="4" class="ring" /><path d="M6 2a4 4 0 0 1 0 8z" /></g>,
  ring: <circle cx="6" cy="6" r="4" class="ring" />,
  square: <rect x="1.75" y="1.75" width="8.5" height="8.5" rx="1" />,
  triangle: <path d="M6 1 11.2 10.5H.8z" />,
  diamond: <path d="M6 .8 11.2 6 6 11.2.8 6z" />,
  check: <path d="m1.8 6.4 2.9 2.9 5.6-6.2" class="ring" />,
  cross: <path d="m2 2 8 8m0-8-8 8" class="ring" />,
  pause: <path d="M2.5 2h2.6v8H2.5zm4.4 0h2.6v8H6.9z" />,
  bars: <path d="M1.5 7h2.2v3.5H1.5zm3.4-3h2.2v6.5H4.9zm3.4-2.5h2.2v9H8.3z" />,
};

/** word: [shape, colour] */
const LOOKS = {
  // of endpoints
  ready: ['disc', 'ok'], stale: ['half', 'warn'], unknown: ['ring', 'dim'], silent: ['square', 'bad'],
  trial: ['diamond', 'info'], ejected: ['triangle', 'bad'],
  // of queues
  room: ['disc', 'ok'], reserved: ['diamond', 'info'], saturated: ['bars', 'warn'], ceiling: ['square', 'warn'],
  // of pools
  serving: ['disc', 'ok'], degraded: ['half', 'warn'], unservable: ['triangle', 'bad'], 'not in use': ['triangle', 'bad'],
  // of peers
  linked: ['disc', 'ok'], unreachable: ['triangle', 'bad'],
  // of the gateway
  starting: ['ring', 'info'], draining: ['half', 'warn'],
  // of the feed
  live: ['disc', 'ok'], connecting: ['ring', 'info'], behind: ['half', 'warn'], reconnecting: ['ring', 'bad'],
  'token wanted': ['square', 'warn'], asleep: ['pause', 'dim'], paused: ['pause', 'info'],
  // of objects and conditions
  ok: ['check', 'ok'], 'not ok': ['cross', 'bad'],
  // of releases
  Waiting: ['ring', 'dim'], Progressing: ['half', 'info'], Paused: ['pause', 'warn'], Holding: ['pause', 'warn'],
  RolledBack: ['triangle', 'bad'], Aborted: ['square', 'bad'], Promoted: ['check', 'ok'],
  // of requests
  complete: ['check', 'ok'], rejected: ['square', 'warn'], client_left: ['ring', 'dim'], upstream_broke: ['triangle', 'bad'],
  error_event: ['triangle', 'bad'], aborted: ['cross', 'bad'], timed_out: ['triangle', 'bad'], evicted: ['square', 'warn'],
};

export function Shape({word}) {
  const [shape, tone] = LOOKS[word] ?? ['ring', 'dim'];
  return <svg class={`shape ${tone}`} viewBox="0 0 12 12" aria-hidden="true">{SHAPES[shape]}</svg>;
}

/** `word` decides on shape and colour; `text` is told in its place. */
export function State({word, text, title}) {
  return <span class="state" title={title}><Shape word={word} /><span>{text ?? String(word).replaceAll('_', ' ')}</span></span>;
}

export const toneOf = (word) => (LOOKS[word] ?? ['', 'dim'])[1];
