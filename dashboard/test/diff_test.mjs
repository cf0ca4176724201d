import assert from 'node:assert/strict';
import {test} from 'node:test';

import {diffLines, withContext} from '../src/diff.js';
import {random} from './random.mjs';

const told = (diff) => diff.map(({sign, text}) => sign + text).join('\n');
const side = (diff, other) => diff.filter(({sign}) => sign !== other).map(({text}) => text).join('\n');

test('a line that is another is told as both', () => {
  const diff = diffLines('kind: A\nspec:\n  port: 1\n  x: y\n', 'kind: A\nspec:\n  port: 2\n  x: y\n');
  assert.equal(told(diff), ' kind: A\n spec:\n-  port: 1\n+  port: 2\n   x: y');
  assert.deepEqual(diff[3], {sign: '+', text: '  port: 2', before: 0, after: 3});
});

test('an object that was not there, or is no more, is one side', () => {
  assert.equal(told(diffLines(null, 'a\nb\n')), '+a\n+b');
  assert.equal(told(diffLines('a\nb\n', null)), '-a\n-b');
  assert.equal(told(diffLines('', '')), '');
});

/** Longest common subsequence by the table: obvious and slow. */
function common(a, b) {
  const best = Array.from({length: a.length + 1}, () => new Array(b.length + 1).fill(0));
  for (let i = 1; i <= a.length; ++i) {
    for (let j = 1; j <= b.length; ++j) {
      best[i][j] = a[i - 1] === b[j - 1] ? best[i - 1][j - 1] + 1 : Math.max(best[i - 1][j], best[i][j - 1]);
    }
  }
  return best[a.length][b.length];
}

test('both sides can be read from it, lines are numbered, and no shorter one exists', () => {
  for (let seed = 1; seed <= 500; ++seed) {
    const chance = random(seed);
    const text = () => Array.from({length: 1 + chance.below(14)}, () => chance.of(['a', 'b', 'c', 'd'])).join('\n');
    const [a, b] = [text(), text()];
    const diff = diffLines(a, b);
    assert.equal(side(diff, '+'), a, `seed ${seed}`);
    assert.equal(side(diff, '-'), b, `seed ${seed}`);
    assert.equal(diff.filter(({sign}) => sign === ' ').length, common(a.split('\n'), b.split('\n')), `seed ${seed}`);
    for (const line of diff) {
      if (line.before) assert.equal(a.split('\n')[line.before - 1], line.text);
      if (line.after) assert.equal(b.split('\n')[line.after - 1], line.text);
    }
  }
});

test('texts that have hardly a line in common are told as a whole, at once', () => {
  const text = (word) => Array.from({length: 5000}, (_, i) => `${word}${i}`).join('\n');
  const diff = diffLines(text('a'), text('b'));
  assert.equal(diff.length, 10_000);
  assert.deepEqual([diff[0].sign, diff.at(-1).sign], ['-', '+']);
});

test('lines far from a change are counted', () => {
  const before = Array.from({length: 20}, (_, i) => `line ${i}`);
  const after = before.with ? before.with(10, 'new') : before.map((line, i) => (i === 10 ? 'new' : line));
  const short = withContext(diffLines(before.join('\n'), after.join('\n')), 2);
  assert.deepEqual(short.map((line) => line.skipped ?? line.sign), [8, ' ', ' ', '-', '+', ' ', ' ', 7]);
});
