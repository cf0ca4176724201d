/**
 * The state of the gateway as the feed tells it: tables of rows with names, the gateway itself, and
 * the requests that have ended last. A state replaces everything; a change replaces rows.
 */

/** How many ended requests are kept: older ones go. */
export const REQUESTS_MAX = 500;

/** Rows of one table: objects with the columns as keys, and `key`, the name that the feed gave them. */
export class Table {
  constructor(columns = []) {
    this.columns = columns;
    /** @type {Map<string, object>} */
    this.rows = new Map();
    this.version = 0;
  }

  set(key, cells) {
    this.rows.set(key, objectOf(this.columns, cells, key));
  }

  /** All rows; the same array as long as nothing has changed. @return {object[]} */
  list() {
    if (this.listVersion !== this.version) {
      this.listVersion = this.version;
      this.cached = [...this.rows.values()];
    }
    return this.cached;
  }
}

function objectOf(columns, cells, key) {
  const object = {key};
  for (let i = 0; i < columns.length; ++i) object[columns[i]] = cells[i] ?? null;
  return object;
}

const NONE = new Table();

export class Store {
  constructor() {
    this.at = 0; // the gateway's clock when it told last
    this.gateway = null;
    /** @type {Record<string, Table>} */
    this.tables = {};
    /** Newest last; each an object with the columns as keys. @type {object[]} */
    this.requests = [];
    this.requestColumns = [];
    this.requestsSeen = 0; // each has a number of its own as its key
    this.leftOut = 0; // requests that ended and were not told, since the last state
    this.version = 0;
  }

  /** @return {Table} */
  table(name) {
    return this.tables[name] ?? NONE;
  }

  /** A whole state. Tables keep their versions going, as views compare them. */
  applyState(state) {
    const before = this.tables;
    this.tables = {};
    for (const [name, told] of Object.entries(state.tables ?? {})) {
      const table = new Table(told.columns);
      for (const [key, row] of Object.entries(told.rows)) table.set(key, row);
      table.version = (before[name]?.version ?? 0) + 1;
      this.tables[name] = table;
    }
    this.at = state.at;
    this.gateway = state.gateway ?? null;
    this.requestColumns = state.requests?.columns ?? [];
    this.requests = [];
    this.leftOut = 0;
    this.addRequests(state.requests?.rows ?? []);
    ++this.version;
  }

  applyChange(change) {
    for (const [name, {set, gone}] of Object.entries(change.tables ?? {})) {
      const table = this.tables[name];
      if (!table) continue;
      // Gone first: whoever is in both is there.
      for (const key of gone ?? []) table.rows.delete(key);
      for (const key in set) table.set(key, set[key]);
      ++table.version;
    }
    if (change.at) this.at = change.at;
    if (change.gateway) this.gateway = change.gateway;
    if (change.requests) {
      this.leftOut += change.requests.left_out ?? 0;
      this.addRequests(change.requests.rows ?? []);
    }
    ++this.version;
  }

  addRequests(rows) {
    const columns = this.requestColumns;
    const added = rows.map((row) => objectOf(columns, row, ++this.requestsSeen));
    // A new array: whoever has paused its list keeps the old one.
    this.requests = this.requests.concat(added).slice(-REQUESTS_MAX);
  }

  /** The one row of `totals`, as an object; null before the first state. */
  totals() {
    return this.table('totals').list()[0] ?? null;
  }
}
