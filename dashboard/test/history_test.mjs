import assert from 'node:assert/strict';
import {test} from 'node:test';

import {BANDS_MAX, HISTORY_S, History, POOLS_MAX, Series} from '../src/history.js';
import {Store} from '../src/store.js';

test('there is one point a second, the newest of it', () => {
  const series = new Series(['n']);
  series.add(10_000, {n: 1});
  series.add(10_500, {n: 2});
  series.add(11_000, {n: null});
  assert.deepEqual([series.times, series.of('n')], [[10, 11], [2, null]]);
});

test('the last 15 minutes are kept and no more', () => {
  const series = new Series(['n']);
  for (let s = 0; s < 3000; ++s) series.add(s * 1000, {n: s});
  assert.equal(series.times.length, HISTORY_S);
  assert.deepEqual([series.times[0], series.of('n').at(-1)], [2100, 2999]);
  series.add(10_000_000, {n: 1});
  assert.deepEqual(series.times, [10_000]);
});

test('what has not changed holds, what was not heard is a gap', () => {
  const series = new Series(['n']);
  series.add(10_000, {n: 5});
  series.hold(14_000);
  series.add(14_000, {n: 6});
  assert.deepEqual([series.times, series.of('n')], [[10, 13, 14], [5, 5, 6]]);
  series.gap();
  series.gap();
  series.add(30_000, {n: 1});
  assert.deepEqual(series.of('n'), [5, 5, 6, null, 1]);
});

test('a clock that goes back begins anew', () => {
  const series = new Series(['n']);
  series.add(10_000, {n: 5});
  series.add(5000, {n: 6});
  assert.deepEqual([series.times, series.of('n')], [[5], [6]]);
});

test('of pools and of priorities only so many have a history', () => {
  const store = new Store();
  const history = new History();
  const pools = Object.fromEntries(Array.from({length: 300}, (_, i) => [i, [`p${i}`, i]]));
  const queues = Object.fromEntries(Array.from({length: 300}, (_, i) => [i, [`p${i}`, i, 2]]));
  store.applyState({at: 1000, gateway: {}, tables: {pools: {columns: ['pool', 'in_flight'], rows: pools},
    queues: {columns: ['pool', 'priority', 'waiting'], rows: queues}}});
  history.note(store);
  assert.deepEqual([history.pools.size, history.bands.size], [POOLS_MAX, BANDS_MAX]);
  assert.deepEqual(history.pools.get('p7').of('in_flight'), [7]);
  store.applyState({at: 2000, gateway: {}, tables: {}});
  history.note(store);
  assert.equal(history.pools.size, 0);
});
