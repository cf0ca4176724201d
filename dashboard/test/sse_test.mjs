import assert from 'node:assert/strict';
import {test} from 'node:test';

import {sseParser} from '../src/sse.js';
import {random} from './random.mjs';

const TEXT = ': hello\n\nevent: state\ndata: {"a":"é–𝄞"}\n\nevent:change\r\ndata: one\r\ndata:two\r\ndata\r\n\r\n' +
  'id: 7\rdata: no name\r\r: still here\n\nretry: 10\n\nevent: never ended\ndata: x\n';
const EVENTS = [['state', '{"a":"é–𝄞"}'], ['change', 'one\ntwo\n'], ['message', 'no name']];

function parse(pieces, ...rest) {
  const events = [];
  const take = sseParser((event, data) => events.push([event, data]), ...rest);
  for (const piece of pieces) take(piece);
  return events;
}

const bytes = new TextEncoder().encode(TEXT);

test('events come out whole, comments and other fields do not', () => {
  assert.deepEqual(parse([bytes]), EVENTS);
});

test('it does not matter at which byte the text is cut', () => {
  for (let i = 0; i <= bytes.length; ++i) {
    assert.deepEqual(parse([bytes.subarray(0, i), bytes.subarray(i)]), EVENTS, `cut at ${i}`);
  }
});

test('bytes may come one by one, or in any pieces', () => {
  assert.deepEqual(parse([...bytes].map((byte) => Uint8Array.of(byte))), EVENTS);
  for (let seed = 1; seed <= 200; ++seed) {
    const chance = random(seed);
    const pieces = [];
    for (let i = 0; i < bytes.length;) {
      const end = Math.min(bytes.length, i + chance.below(9));
      pieces.push(bytes.subarray(i, end));
      i = end;
    }
    assert.deepEqual(parse(pieces), EVENTS, `seed ${seed}`);
  }
});

test('an event without an end has a limit', () => {
  const piece = new TextEncoder().encode('x'.repeat(1000));
  assert.throws(() => parse(new Array(11).fill(piece), 10_000), /over 10000 characters/);
  const whole = new TextEncoder().encode(`data: ${'x'.repeat(1000)}\n\n`);
  assert.equal(parse(new Array(100).fill(whole), 10_000).length, 100);
});
