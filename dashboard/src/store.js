/**
 * The state of the gateway as the feed tells it: tables of rows with names, the gateway itself, and
 * the requests that have ended last. A state replaces everything; a change replaces rows.
 */

/** How many ended requests are kept: older ones go. */
export const REQUESTS_MAX = 500;

/**
 * Makes rows of cells: objects with the columns as members, and `key`. The members are getters of a
 * prototype: 4,000 rows are made in half a millisecond, where filling 4,000 objects takes 17.
 *
 * @return {(key: string|number, cells: any[]) => object}
 */
function rowsOf(columns) {
  const name = columns.join();
  let make = makers.get(name);
  if (make) return make;
  class Row {
    constructor(key, cells) {
      this.key = key;
      this.cells = cells;
    }
  }
  columns.forEach((column, i) => Object.defineProperty(Row.prototype, column, {get() {
    return this.cells[i] ?? null;
  }}));
  make = (key, cells) => new Row(key, cells);
  if (makers.size >= 50) makers.clear(); // a feed has as many as it has tables
  makers.set(name, make);
  return make;
}

const makers = new Map();

/** Rows of one table, by the names that the feed gave them. */
export class Table {
  constructor(columns = []) {
    this.columns = columns;
    this.make = rowsOf(columns);
    /** @type {Map<string, object>} */
    this.rows = new Map();
    this.version = 0; // of all that it holds
    this.members = 0; // of which rows there are
  }

  set(key, cells) {
    if (!this.rows.has(key)) ++this.members;
    this.rows.set(key, this.make(key, cells));
  }

  remove(key) {
    if (this.rows.delete(key)) ++this.members;
  }

  /** All rows; the same array as long as nothing has changed. @return {object[]} */
  list() {
    if (this.listVersion !== this.version) {
      this.listVersion = this.version;
      this.cached = [...this.rows.values()];
    }
    return this.cached;
  }

  /**
   * All rows in an order that goes by what a row never changes (its names): sorted anew only when rows
   * come or go.
   */
  inOrder(compare) {
    if (this.orderMembers !== this.members || this.orderBy !== compare) {
      this.orderMembers = this.members;
      this.orderBy = compare;
      this.order = [...this.rows.values()].sort(compare).map((row) => row.key);
    }
    return this.order.map((key) => this.rows.get(key));
  }
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
      table.members = (before[name]?.members ?? 0) + 1;
      for (const key in told.rows) table.set(key, told.rows[key]);
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
      for (const key of gone ?? []) table.remove(key);
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
    const make = rowsOf(this.requestColumns);
    const added = rows.map((cells) => make(++this.requestsSeen, cells));
    // A new array: whoever has paused its list keeps the old one.
    this.requests = this.requests.concat(added).slice(-REQUESTS_MAX);
  }

  /** The one row of `totals`, as an object; null before the first state. */
  totals() {
    return this.table('totals').list()[0] ?? null;
  }
}
