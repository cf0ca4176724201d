import assert from 'node:assert/strict';
import {test} from 'node:test';

import {bytes, count, ms, percent, rate, seconds, span} from '../src/units.js';

const cases = (of, pairs) => {
  for (const [value, text] of pairs) assert.equal(of(value), text, `${of.name}(${value})`);
};

test('what is absent is a dash', () => {
  for (const of of [bytes, count, ms, percent, rate, seconds, span]) cases(of, [[null, '–'], [undefined, '–'], [NaN, '–']]);
});

test('numbers have three digits that count, and their units', () => {
  cases(count, [[0, '0'], [999, '999'], [12345, '12,345'], [123456, '123k'], [2_500_000, '2.50M']]);
  cases(rate, [[0, '0'], [0.25, '0.25'], [3, '3.00'], [41.26, '41.3'], [941.4, '941'], [12_345, '12.3k']]);
  cases(percent, [[0, '0 %'], [0.0001, '< 0.1 %'], [0.004, '0.4 %'], [0.05, '5.0 %'], [0.5, '50 %'], [1, '100 %']]);
  cases(ms, [[0.5, '0.50 ms'], [12.34, '12.3 ms'], [250, '250 ms'], [999.7, '1.00 s'], [1234, '1.23 s'], [125_000, '2 min 5 s']]);
  cases(bytes, [[0, '0 B'], [999, '999 B'], [412_000, '412 KB'], [1_500_000, '1.50 MB'], [2e9, '2.00 GB']]);
});

test('a length of time is told in two units', () => {
  cases(span, [[0, '0 s'], [4200, '4 s'], [125_000, '2 min 5 s'], [3_600_000, '1 h'], [11_520_000, '3 h 12 min'], [187_200_000, '2 d 4 h'], [-5, '0 s']]);
});
