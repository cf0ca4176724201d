import assert from 'node:assert/strict';
import {test} from 'node:test';

import {REQUESTS_MAX, Store} from '../src/store.js';
import {random} from './random.mjs';

const COLUMNS = {pools: ['pool', 'in_flight', 'unservable'], endpoints: ['pod', 'state'], totals: ['in_flight']};

/** What the gateway would say now, as a whole: plain and slow. */
function stateOf(world) {
  const tables = {};
  for (const [name, columns] of Object.entries(COLUMNS)) tables[name] = {columns, rows: {...world.tables[name]}};
  return structuredClone({at: world.at, gateway: world.gateway, tables,
    requests: {columns: ['id', 'status'], rows: world.requests.slice(-100)}});
}

/** Changes the world by chance, and says with what change. */
function step(world, chance) {
  const change = {at: world.at += 500};
  const tables = {};
  for (const [name, columns] of Object.entries(COLUMNS)) {
    const rows = world.tables[name];
    const told = {};
    for (let n = chance.below(4); n > 0; --n) {
      const key = String(chance.below(12));
      const row = columns.map(() => chance.of([null, chance.below(100), 'text']));
      rows[key] = row;
      (told.set ??= {})[key] = row;
    }
    if (chance() < 0.3 && Object.keys(rows).length > 0) {
      const key = chance.of(Object.keys(rows));
      delete rows[key];
      if (told.set) delete told.set[key];
      (told.gone ??= []).push(key);
    }
    if (told.set || told.gone) tables[name] = told;
  }
  if (Object.keys(tables).length > 0) change.tables = tables;
  if (chance() < 0.2) change.gateway = world.gateway = {generation: chance.below(1000)};
  if (chance() < 0.5) {
    const rows = [];
    for (let n = chance.below(20); n > 0; --n) rows.push([`r${world.ended++}`, 200]);
    world.requests.push(...rows);
    change.requests = {rows, left_out: 0};
  }
  return structuredClone(change);
}

const plain = (columns) => (row) => Object.fromEntries(['key', ...columns].map((name) => [name, row[name]]));

const contents = (store) => ({
  at: store.at,
  gateway: store.gateway,
  tables: Object.fromEntries(Object.keys(COLUMNS).map((name) =>
    [name, [...store.table(name).rows.values()].map(plain(COLUMNS[name])).sort((a, b) => (a.key < b.key ? -1 : 1))])),
  requests: store.requests.slice(-100).map(({id, status}) => [id, status]),
});

test('a state and changes come to the same as the whole state', () => {
  for (let seed = 1; seed <= 100; ++seed) {
    const chance = random(seed);
    const world = {at: 1e12, gateway: {generation: 1}, tables: {pools: {}, endpoints: {}, totals: {}}, requests: [], ended: 0};
    for (let i = 0; i < 5; ++i) step(world, chance);
    const store = new Store();
    store.applyState(stateOf(world));
    for (let i = 0; i < 100; ++i) {
      store.applyChange(step(world, chance));
      if (chance() < 0.05) store.applyState(stateOf(world)); // it was behind
    }
    const whole = new Store();
    whole.applyState(stateOf(world));
    const [got, wanted] = [contents(store), contents(whole)];
    got.requests = got.requests.slice(-50);
    wanted.requests = wanted.requests.slice(-50);
    assert.deepEqual(got, wanted, `seed ${seed}`);
  }
});

test('rows are objects, the list of them stays the same until something changes', () => {
  const store = new Store();
  store.applyState({at: 1, gateway: {}, tables: {pools: {columns: ['pool', 'in_flight'], rows: {1: ['a', 2], 7: ['b']}}}});
  const told = () => store.table('pools').list().map(plain(['pool', 'in_flight']));
  assert.deepEqual(told(), [{key: '1', pool: 'a', in_flight: 2}, {key: '7', pool: 'b', in_flight: null}]);
  const list = store.table('pools').list();
  store.applyChange({at: 2});
  assert.equal(store.table('pools').list(), list);
  store.applyChange({at: 3, tables: {pools: {gone: ['1']}}});
  assert.deepEqual(told(), [{key: '7', pool: 'b', in_flight: null}]);
});

test('an order by names is kept while rows change, and made anew when they come and go', () => {
  const store = new Store();
  store.applyState({at: 1, gateway: {}, tables: {pools: {columns: ['pool', 'n'], rows: {1: ['b', 1], 2: ['a', 2]}}}});
  let compared = 0;
  const byName = (a, b) => {
    ++compared;
    return a.pool < b.pool ? -1 : 1;
  };
  const told = () => store.table('pools').inOrder(byName).map((row) => `${row.pool}${row.n}`).join(' ');
  assert.equal(told(), 'a2 b1');
  const before = compared;
  store.applyChange({at: 2, tables: {pools: {set: {1: ['b', 7]}}}});
  assert.equal(told(), 'a2 b7');
  assert.equal(compared, before);
  store.applyChange({at: 3, tables: {pools: {set: {9: ['aa', 3]}, gone: ['2']}}});
  assert.equal(told(), 'aa3 b7');
});

test('tables that nobody told of are empty, and changes of them are ignored', () => {
  const store = new Store();
  store.applyState({at: 1, gateway: {}, tables: {}});
  store.applyChange({at: 2, tables: {unheard: {set: {1: [1]}}}});
  assert.deepEqual(store.table('unheard').list(), []);
  assert.equal(store.totals(), null);
});

test('of requests the newest are kept, and those that were left out are counted', () => {
  const store = new Store();
  store.applyState({at: 1, gateway: {}, tables: {}, requests: {columns: ['id'], rows: [['first']]}});
  const paused = store.requests;
  for (let i = 0; i < 100; ++i) {
    store.applyChange({at: i, requests: {rows: new Array(20).fill([`r${i}`]), left_out: 3}});
  }
  assert.equal(store.requests.length, REQUESTS_MAX);
  assert.equal(store.requests.at(-1).id, 'r99');
  assert.equal(store.leftOut, 300);
  assert.equal(new Set(store.requests.map((row) => row.key)).size, REQUESTS_MAX);
  assert.deepEqual(paused.map((row) => row.id), ['first']);
});
