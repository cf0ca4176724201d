/**
 * What charts show: values over time by the gateway's clock, one point a second, the last 15 minutes
 * and no more. A gap (the page was hidden, the connection lost) is a point of nulls, so that no line
 * is drawn over it.
 */
export const HISTORY_S = 900;
export const GAP_MS = 15_000; // the feed says something every 10 s
const STEP_MS = 1000;

export class Series {
  /** @param {string[]} names of the values of a point */
  constructor(names, pointsMax = HISTORY_S) {
    this.names = names;
    this.pointsMax = pointsMax;
    /** Seconds since 1970, as uPlot wants them. @type {number[]} */
    this.times = [];
    /** @type {(number|null)[][]} */
    this.values = names.map(() => []);
    this.version = 0;
  }

  /** `point`: an object with the names as keys. Within a second of the last point it replaces it. */
  add(atMs, point) {
    const second = Math.floor(atMs / STEP_MS);
    const last = this.times.at(-1);
    if (last !== undefined && second < last) this.clear(); // another gateway, or its clock was set
    if (last !== second) this.push(second);
    const end = this.times.length - 1;
    for (let i = 0; i < this.names.length; ++i) {
      const value = point?.[this.names[i]];
      this.values[i][end] = typeof value === 'number' ? value : null;
    }
    ++this.version;
  }

  /** Nothing was heard for a while: the next point does not join the last one. */
  gap() {
    const last = this.times.at(-1);
    if (last === undefined || this.values.every((list) => list.at(-1) === null)) return;
    this.push(last + 1);
    ++this.version;
  }

  /** Nothing has changed up to then: the last point holds. */
  hold(untilMs) {
    const last = this.times.at(-1);
    if (last === undefined || Math.floor(untilMs / STEP_MS) - last <= 1) return;
    const end = this.times.length - 1;
    this.add(untilMs - STEP_MS, Object.fromEntries(this.names.map((n, i) => [n, this.values[i][end]])));
  }

  push(second) {
    this.times.push(second);
    for (const list of this.values) list.push(null);
    const surplus = this.times.length - this.pointsMax;
    if (surplus > 0) {
      this.times.splice(0, surplus);
      for (const list of this.values) list.splice(0, surplus);
    }
    while (this.times.length > 0 && this.times[0] < second - HISTORY_S) {
      this.times.shift();
      for (const list of this.values) list.shift();
    }
  }

  clear() {
    this.times.length = 0;
    for (const list of this.values) list.length = 0;
  }

  /** The values of one name. */
  of(name) {
    return this.values[this.names.indexOf(name)] ?? [];
  }
}

const LOADS = [
  'requests_per_s', 'errors_per_s', 'rejected_per_s', 'prompt_tokens_per_s', 'completion_tokens_per_s',
  'ttft_ms_p50', 'ttft_ms_p90', 'ttft_ms_p99', 'tpot_ms_p50', 'tpot_ms_p90', 'tpot_ms_p99',
  'in_flight', 'waiting', 'running', 'queued',
];
export const POOLS_MAX = 50; // pools with a history of their own
export const BANDS_MAX = 50; // the same of priorities of pools

/** The history of all that charts show, fed from the store. */
export class History {
  constructor() {
    this.totals = new Series(LOADS);
    /** @type {Map<string, Series>} by pool */
    this.pools = new Map();
    /** Waiting requests by pool and priority. @type {Map<string, {pool: string, priority: number, series: Series}>} */
    this.bands = new Map();
    this.heardMs = 0;
  }

  /** @param {import('./store.js').Store} store after a state or a change */
  note(store) {
    const at = store.at;
    if (this.heardMs && at - this.heardMs > GAP_MS) this.gap();
    this.heardMs = at;
    this.hold(at);
    this.totals.add(at, store.totals());
    this.notePools(store);
    this.noteBands(store);
  }

  notePools(store) {
    const pools = store.table('pools').list();
    forget(this.pools, new Set(pools.map((pool) => pool.pool)));
    for (const pool of pools) {
      let series = this.pools.get(pool.pool);
      if (!series && this.pools.size < POOLS_MAX) this.pools.set(pool.pool, series = new Series(LOADS));
      series?.add(store.at, pool);
    }
  }

  noteBands(store) {
    const waiting = new Map();
    for (const row of store.table('queues').list()) {
      if (row.priority === null) continue;
      const key = `${row.pool} ${row.priority}`;
      waiting.set(key, (waiting.get(key) ?? 0) + (row.waiting ?? 0));
      if (!this.bands.has(key) && this.bands.size < BANDS_MAX) {
        this.bands.set(key, {pool: row.pool, priority: row.priority, series: new Series(['waiting'])});
      }
    }
    for (const [key, band] of this.bands) {
      // A priority without a row has nothing that waits; one without any for the whole time goes.
      band.series.add(store.at, {waiting: waiting.get(key) ?? 0});
      if (!waiting.has(key) && band.series.of('waiting').every((n) => !n)) this.bands.delete(key);
    }
  }

  hold(at) {
    for (const series of this.all()) series.hold(at);
  }

  gap() {
    for (const series of this.all()) series.gap();
  }

  * all() {
    yield this.totals;
    yield* this.pools.values();
    for (const band of this.bands.values()) yield band.series;
  }
}

function forget(map, names) {
  for (const name of map.keys()) if (!names.has(name)) map.delete(name);
}
