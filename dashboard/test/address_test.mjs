import assert from 'node:assert/strict';
import {test} from 'node:test';

import {formatAddress, nextSort, parseAddress, parseSort} from '../src/address.js';
import {random} from './random.mjs';

test('a view, its filters and its order stand in the address', () => {
  const address = {path: ['endpoints'], query: {pool: 'default/qwen', sort: '-waiting', q: 'a b&c=d#e'}};
  const text = formatAddress(address);
  assert.equal(text, '#/endpoints?pool=default/qwen&q=a%20b%26c%3Dd%23e&sort=-waiting');
  assert.deepEqual(parseAddress(text), address);
});

test('what is empty is left out, and an empty address is one', () => {
  assert.equal(formatAddress({path: ['overview'], query: {q: '', sel: null, x: undefined}}), '#/overview');
  assert.deepEqual(parseAddress(''), {path: [], query: {}});
  assert.deepEqual(parseAddress('#/a/%E0%A4%A'), {path: ['a', '%E0%A4%A'], query: {}});
});

test('whatever a filter holds comes back', () => {
  const signs = ['a', 'é', '𝄞', '/', '?', '&', '=', '#', '%', '+', ' ', '"', '<', ':', ',', '\\'];
  for (let seed = 1; seed <= 500; ++seed) {
    const chance = random(seed);
    const word = () => Array.from({length: 1 + chance.below(8)}, () => chance.of(signs)).join('');
    const address = {path: ['requests'], query: {q: word(), pool: word()}};
    assert.deepEqual(parseAddress(formatAddress(address)), address, `seed ${seed}`);
  }
});

test('a click on a head turns the order, numbers begin with the greatest', () => {
  assert.deepEqual(parseSort('-waiting', 'pod'), {key: 'waiting', down: true});
  assert.deepEqual(parseSort(undefined, 'pod'), {key: 'pod', down: false});
  assert.equal(nextSort(parseSort('pod'), 'waiting', true), '-waiting');
  assert.equal(nextSort(parseSort('-waiting'), 'waiting', true), 'waiting');
  assert.equal(nextSort(parseSort('waiting'), 'waiting', true), '-waiting');
  assert.equal(nextSort(parseSort('waiting'), 'pod', false), 'pod');
});
