import assert from 'node:assert/strict';
import {test} from 'node:test';

import {partsOf, problemsOf} from '../src/problems.js';
import {calmOrder, distinct, hasWords, sorted, wordsOf} from '../src/rows.js';
import {Store} from '../src/store.js';

const names = (rows) => rows.map((row) => row.n).join(' ');

test('what is absent comes last, whichever way, and equals keep their order', () => {
  const rows = [{n: 'a', v: 2}, {n: 'b', v: null}, {n: 'c', v: 10}, {n: 'd', v: 2}];
  assert.equal(names(sorted(rows, (row) => row.v, false)), 'a d c b');
  assert.equal(names(sorted(rows, (row) => row.v, true)), 'c a d b');
});

test('numbers in names count as numbers', () => {
  const rows = ['pod-10', 'pod-9', 'Pod-1', '127.0.0.2', '127.0.0.11'].map((n) => ({n}));
  assert.equal(names(sorted(rows, (row) => row.n, false)), '127.0.0.2 127.0.0.11 Pod-1 pod-9 pod-10');
});

test('an order holds for a while, or until another one is asked for', () => {
  const calm = calmOrder(2000);
  const told = (rows, what, now) => names(calm(rows.map(([key, v]) => ({key, n: key + v, v})), what, (list) => sorted(list, (row) => row.v, true), now));
  assert.equal(told([['a', 1], ['b', 2]], 'v', 1000), 'b2 a1');
  assert.equal(told([['c', 9], ['a', 7], ['b', 2]], 'v', 2900), 'b2 a7 c9');
  assert.equal(told([['c', 9], ['a', 7], ['b', 2]], 'v', 3000), 'c9 a7 b2');
  assert.equal(told([['c', 1], ['a', 7]], 'v, other filters', 3001), 'a7 c1');
});

test('a search wants all its words', () => {
  assert.equal(hasWords(wordsOf(' QWEN  ejected'), 'default/qwen-1', 'ejected'), true);
  assert.equal(hasWords(wordsOf('qwen ready'), 'default/qwen-1', 'ejected'), false);
  assert.equal(hasWords(wordsOf(''), 'x'), true);
});

test('filters offer each value once', () => {
  assert.deepEqual(distinct([{p: 'b'}, {p: 'a'}, {p: null}, {p: 'b'}], 'p'), ['a', 'b']);
});

test('of a reason its parts are told', () => {
  const row = {kind: 'InferencePool', namespace: 'default', name: 'qwen',
    why: 'InferencePool default/qwen: spec.targetPorts[0].number: must be 1..65535, got 0'};
  const none = {of: '', condition: '', field: '', text: '', place: ''};
  assert.deepEqual(partsOf(row), {...none, field: 'spec.targetPorts[0].number', text: 'must be 1..65535, got 0'});
  assert.deepEqual(partsOf({...row, why: 'no such Service: web'}), {...none, text: 'no such Service: web'});
  assert.deepEqual(partsOf({...row, why: null}), none);
  assert.deepEqual(partsOf({kind: 'HTTPRoute', namespace: 'default', name: 'broken', why: 'HTTPRoute default/broken: parent Gateway default/g: ' +
    'ResolvedRefs: BackendNotFound: rule chat: InferencePool default/x of group g.io does not exist (/etc/objects/routes.yaml:39)'}), {of: 'parent Gateway default/g',
    condition: 'ResolvedRefs: BackendNotFound', field: 'rule chat', text: 'InferencePool default/x of group g.io does not exist', place: '/etc/objects/routes.yaml:39'});
});

test('problems are listed, worst first, endpoints of one pool together', () => {
  const store = new Store();
  store.applyState({at: 1, gateway: {phase: 'serving', load_error: 'a.yaml: not YAML', listeners: [
    {address: '127.0.0.1:80', names: [], error: 'permission denied'}, {address: '127.0.0.1:81', names: [], error: null}]},
  tables: {
    pools: {columns: ['pool', 'endpoints', 'ejected', 'silent', 'unservable'],
      rows: {1: ['a', 3, 2, 0, null], 2: ['b', 1, 0, 0, 'no such runtime'], 3: ['c', 1, 1, 0, null]}},
    endpoints: {columns: ['pool', 'pod', 'address', 'state'],
      rows: {1: ['a', 'a-0', '1', 'ejected'], 2: ['a', 'a-1', '2', 'ejected'], 3: ['a', 'a-2', '3', 'ready']}},
    objects: {columns: ['kind', 'namespace', 'name', 'ok', 'why'],
      rows: {1: ['HTTPRoute', 'default', 'chat', false, 'HTTPRoute default/chat: no parent'], 2: ['Gateway', 'default', 'g', true, null]}},
  }});
  assert.deepEqual(problemsOf(store).map(({what, why}) => `${what}: ${why}`), [
    'The configuration cannot be read as a whole: a.yaml: not YAML',
    'Listener 127.0.0.1:80: permission denied',
    'Pool b: no such runtime',
    'Pool c: none of its 1 endpoints is in use',
    '2 endpoints of a ejected: a-0, a-1',
    'HTTPRoute default/chat: no parent',
  ]);
});
