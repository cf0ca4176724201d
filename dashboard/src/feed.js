/**
 * The connection to `/feed`: opens it, applies what comes to the store, opens it again when it is
 * lost, and closes it while nobody looks. The token, if the gateway wants one, is kept for this tab
 * only.
 */
import {sseParser} from './sse.js';

/** @typedef {'connecting'|'live'|'behind'|'reconnecting'|'token'|'asleep'} FeedState */

const BACKOFF_MS = [500, 1000, 2000, 4000, 8000, 15_000];
const QUIET_MS = 13_000; // the gateway says something every 10 s: it is behind
const DEAD_MS = 30_000; // the connection is dead
const HIDDEN_MS = 60_000; // nobody looks
const BEHIND_SHOWN_MS = 5000; // how long it is told that changes were missed
const TOKEN = 'penstock.token';

export class Feed {
  /**
   * @param {import('./store.js').Store} store
   * @param {import('./history.js').History} history
   * @param {() => void} onNews called when something is another
   */
  constructor(store, history, onNews) {
    this.store = store;
    this.history = history;
    this.onNews = onNews;
    /** @type {FeedState} */
    this.state = 'connecting';
    this.error = ''; // why it is not live
    this.tokenRefused = false;
    this.tries = 0;
    this.retryAt = 0;
    this.heardAt = 0; // performance.now()
    this.offsetMs = 0; // gateway's clock less performance.now()
    this.applyMs = 0; // what the last event took, to parse and apply
    this.behindUntil = 0;
    this.isNoted = false; // the history has what the store has
  }

  start() {
    document.addEventListener('visibilitychange', () => this.onVisibility());
    setInterval(() => this.watch(), 1000);
    this.open();
  }

  /** Milliseconds since 1970 by the gateway's clock. */
  now() {
    return this.offsetMs ? performance.now() + this.offsetMs : Date.now();
  }

  setToken(token) {
    sessionStorage.setItem(TOKEN, token);
    this.tries = 0;
    this.open();
  }

  /** A page of the admin port, with the token. A refused token is asked for anew. */
  async get(path, options = {}) {
    const token = sessionStorage.getItem(TOKEN);
    const headers = token ? {authorization: `Bearer ${token}`} : {};
    const response = await fetch(path, {headers, cache: 'no-store', redirect: 'error', ...options});
    if (response.status === 401 || response.status === 403) {
      this.tokenRefused = Boolean(token);
      sessionStorage.removeItem(TOKEN);
      this.close();
      this.tell('token', '');
    }
    return response;
  }

  async open() {
    this.close();
    const abort = this.abort = new AbortController();
    if (this.state !== 'reconnecting') this.tell('connecting', '');
    try {
      const response = await this.get('feed', {signal: abort.signal});
      if (this.abort !== abort) return;
      if (!response.ok) throw new Error(`the gateway answered ${response.status}`);
      this.heard();
      await this.read(response.body.getReader(), abort);
      throw new Error('the gateway has closed the connection');
    } catch (error) {
      if (this.abort === abort) this.lost(error);
    }
  }

  async read(reader, abort) {
    let hasState = false;
    const parse = sseParser((event, data) => {
      const begin = performance.now();
      if (event === 'state') {
        if (hasState) this.behindUntil = begin + BEHIND_SHOWN_MS;
        hasState = true;
        this.store.applyState(JSON.parse(data));
        // Its rates are of no time at all if nobody has looked before: charts begin with what follows.
        this.isNoted = false;
      } else if (event === 'change' && hasState) {
        this.store.applyChange(JSON.parse(data));
        this.note();
      } else {
        return;
      }
      this.offsetMs = this.store.at - performance.now();
      this.applyMs = performance.now() - begin;
      this.tries = 0;
    });
    for (;;) {
      const {done, value} = await reader.read();
      if (this.abort !== abort || done) return;
      this.heard();
      parse(value);
      if (hasState) this.tell(this.behindUntil > performance.now() ? 'behind' : 'live', '');
    }
  }

  note() {
    this.history.note(this.store);
    this.isNoted = true;
  }

  heard() {
    this.heardAt = performance.now();
    this.tokenRefused = false;
  }

  close() {
    clearTimeout(this.timer);
    this.abort?.abort();
    this.abort = null;
  }

  lost(error) {
    this.close();
    this.history.gap();
    // A little chance, so that many pages do not come back at the same moment.
    const wait = BACKOFF_MS[Math.min(this.tries, BACKOFF_MS.length - 1)] * (0.75 + Math.random() / 2);
    ++this.tries;
    this.retryAt = performance.now() + wait;
    this.timer = setTimeout(() => this.open(), wait);
    this.tell('reconnecting', String(error?.message ?? error));
  }

  /** Once a second: what silence means. */
  watch() {
    const quiet = performance.now() - this.heardAt;
    if (this.state === 'live' || this.state === 'behind') {
      if (quiet > DEAD_MS) this.lost(new Error(`nothing was heard for ${Math.round(quiet / 1000)} s`));
      else if (quiet > QUIET_MS) this.tell('behind', '');
      else if (this.state === 'behind' && this.behindUntil < performance.now()) this.tell('live', '');
    }
    if (this.state !== 'live') return;
    if (!this.isNoted) this.note();
    else this.history.hold(this.now()); // what has not changed holds
  }

  onVisibility() {
    clearTimeout(this.hiddenTimer);
    if (document.hidden) {
      this.hiddenTimer = setTimeout(() => {
        if (this.state === 'token') return;
        this.close();
        this.history.gap();
        this.tell('asleep', '');
      }, HIDDEN_MS);
    } else if (this.state === 'asleep') {
      this.tries = 0;
      this.open();
    } else if (this.state === 'reconnecting') {
      this.open();
    }
  }

  tell(state, error) {
    this.state = state;
    this.error = error;
    this.onNews();
  }
}
