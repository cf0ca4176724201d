import assert from 'node:assert/strict';
import {afterEach, beforeEach, mock, test} from 'node:test';

import {Feed} from '../src/feed.js';
import {History} from '../src/history.js';
import {Store} from '../src/store.js';

/** A gateway that answers what the test says; every connection can be written to and be ended. */
class Gateway {
  constructor() {
    this.status = 200;
    this.asked = [];
    this.open = [];
  }

  fetch = async (path, {headers, signal}) => {
    this.asked.push({path, token: headers.authorization});
    if (this.status === 0) throw new TypeError('failed to fetch');
    if (this.status !== 200) return {ok: false, status: this.status};
    const stream = new TransformStream();
    const writer = stream.writable.getWriter();
    const connection = {send: (text) => writer.write(new TextEncoder().encode(text)), end: () => writer.close()};
    this.open.push(connection);
    signal.addEventListener('abort', () => {
      this.open.splice(this.open.indexOf(connection), 1);
      writer.abort(signal.reason).catch(() => {});
    });
    return {ok: true, status: 200, body: stream.readable};
  };
}

const event = (name, data) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
const state = (at, inFlight = 1) => event('state', {at, gateway: {phase: 'serving'}, tables: {totals: {columns: ['in_flight'], rows: {1: [inFlight]}}}});
const change = (at, inFlight) => event('change', {at, tables: {totals: {set: {1: [inFlight]}}}});

let gateway;
let page;
let now;

/** Lets what was promised happen. */
const settle = async () => {
  for (let i = 0; i < 20; ++i) await new Promise((resolve) => setImmediate(resolve));
};

async function pass(ms) {
  for (let left = ms; left > 0; left -= 500) {
    now += Math.min(500, left);
    mock.timers.tick(Math.min(500, left));
    await settle();
  }
}

async function startFeed() {
  const feed = new Feed(new Store(), new History(), () => {});
  feed.start();
  await settle();
  return feed;
}

beforeEach(() => {
  now = 1000;
  gateway = new Gateway();
  page = {hidden: false, listeners: [], addEventListener: (_, listener) => page.listeners.push(listener)};
  const kept = new Map();
  mock.timers.enable({apis: ['setTimeout', 'setInterval']});
  mock.method(performance, 'now', () => now);
  mock.method(globalThis, 'fetch', gateway.fetch);
  globalThis.document = page;
  globalThis.sessionStorage = {getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key)};
});
afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

const hide = (isHidden) => {
  page.hidden = isHidden;
  for (const listener of page.listeners) listener();
};

test('a state and changes come to the store, with the clock of the gateway', async () => {
  const feed = await startFeed();
  assert.equal(feed.state, 'connecting');
  gateway.open[0].send(state(50_000));
  await settle();
  assert.deepEqual([feed.state, feed.store.totals().in_flight, feed.now()], ['live', 1, 50_000]);
  const bytes = change(50_500, 7);
  gateway.open[0].send(bytes.slice(0, 9));
  gateway.open[0].send(bytes.slice(9));
  await settle();
  assert.deepEqual([feed.store.totals().in_flight, feed.history.totals.of('in_flight')], [7, [7]]);
});

test('a connection that is lost is opened again, later each time, and at once when it was good', async () => {
  const feed = await startFeed();
  gateway.open[0].send(state(50_000));
  await settle();
  gateway.status = 0;
  gateway.open[0].end();
  await settle();
  assert.deepEqual([feed.state, gateway.asked.length], ['reconnecting', 1]);
  await pass(60_000);
  assert.ok(gateway.asked.length >= 6 && gateway.asked.length <= 12, `asked ${gateway.asked.length} times in a minute`);
  gateway.status = 200;
  await pass(20_000);
  gateway.open[0].send(state(140_000, 3));
  await settle();
  assert.deepEqual([feed.state, feed.store.totals().in_flight, feed.tries], ['live', 3, 0]);
});

test('silence is told, and then the connection is taken for dead', async () => {
  const feed = await startFeed();
  gateway.open[0].send(state(50_000));
  await settle();
  await pass(9000);
  gateway.open[0].send(': still here\n\n');
  await pass(10_000);
  assert.equal(feed.state, 'live');
  await pass(5000);
  assert.equal(feed.state, 'behind');
  await pass(20_000);
  assert.equal(gateway.asked.length, 2);
});

test('a state that nobody has asked for says that changes were missed', async () => {
  const feed = await startFeed();
  gateway.open[0].send(state(50_000));
  await settle();
  gateway.open[0].send(state(51_000, 9));
  await settle();
  assert.deepEqual([feed.state, feed.store.totals().in_flight], ['behind', 9]);
  await pass(6000);
  assert.equal(feed.state, 'live');
});

test('a token is asked for, kept for this tab, and asked for anew when it is refused', async () => {
  gateway.status = 401;
  const feed = await startFeed();
  assert.deepEqual([feed.state, feed.tokenRefused], ['token', false]);
  await pass(60_000);
  assert.equal(gateway.asked.length, 1);
  feed.setToken('wrong');
  await settle();
  assert.deepEqual([feed.state, feed.tokenRefused, gateway.asked[1].token], ['token', true, 'Bearer wrong']);
  gateway.status = 200;
  feed.setToken('right');
  await settle();
  gateway.open[0].send(state(50_000));
  await settle();
  assert.deepEqual([feed.state, gateway.asked[2].token], ['live', 'Bearer right']);
});

test('a page that is hidden for a minute costs the gateway nothing', async () => {
  const feed = await startFeed();
  gateway.open[0].send(state(50_000));
  await settle();
  hide(true);
  await pass(5000);
  hide(false);
  gateway.open[0].send(change(55_000, 2));
  await pass(58_000);
  assert.equal(gateway.asked.filter(({path}) => path === 'feed').length >= 1, true);
  hide(true);
  await pass(61_000);
  assert.deepEqual([feed.state, gateway.open.length], ['asleep', 0]);
  const asked = gateway.asked.length;
  await pass(600_000);
  assert.equal(gateway.asked.length, asked);
  hide(false);
  await settle();
  gateway.open[0].send(state(750_000, 5));
  await settle();
  assert.deepEqual([feed.state, gateway.open.length, feed.store.totals().in_flight], ['live', 1, 5]);
  assert.ok(feed.history.totals.of('in_flight').includes(null), 'there is a gap');
});
