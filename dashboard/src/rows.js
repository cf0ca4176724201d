/** Filtering and sorting of rows for tables. Pure, so that it can be tested and timed. */

/** The words of a search: all must be there. */
export function wordsOf(text) {
  return (text ?? '').toLowerCase().split(/\s+/).filter(Boolean);
}

export function hasWords(words, ...texts) {
  if (words.length === 0) return true;
  const all = texts.join(' ').toLowerCase();
  return words.every((word) => all.includes(word));
}

/**
 * A new array in order. What is absent comes last, whichever way; what is equal keeps its order.
 * `value` of a row: a number or a text. Texts with numbers in them are in people's order (a2, a10).
 */
export function sorted(rows, value, down) {
  const keys = rows.map((row) => keyOf(value(row)));
  const order = rows.map((_, i) => i);
  const sign = down ? -1 : 1;
  order.sort((i, j) => {
    const [a, b] = [keys[i], keys[j]];
    if (a === b) return i - j;
    if (a === null || a === undefined) return 1;
    if (b === null || b === undefined) return -1;
    return a < b ? -sign : a > b ? sign : i - j;
  });
  return order.map((i) => rows[i]);
}

/**
 * An order that is made anew only every `everyMs`, or when `what` (the sort and the filters) is another:
 * rows that jump twice a second cannot be read, and moving them costs more than what they say. Rows
 * that have come since stand at the end until then.
 *
 * @return {(rows: object[], what: string, sort: (rows: object[]) => object[], nowMs: number) => object[]}
 */
export function calmOrder(everyMs) {
  let kept = {what: null};
  return (rows, what, sort, nowMs) => {
    if (kept.what !== what || nowMs - kept.at >= everyMs) {
      const order = sort(rows);
      kept = {what, at: nowMs, ranks: new Map(order.map((row, i) => [row.key, i]))};
      return order;
    }
    return sorted(rows, (row) => kept.ranks.get(row.key), false);
  };
}

const keyOf = (value) => (typeof value === 'string' ? naturalKey(value) : typeof value === 'boolean' ? Number(value) : value);

/**
 * Compares texts with the numbers in them as numbers. By keys that are kept, with digits filled up:
 * Intl.Collator would take 30 ms for the names of 4,000 endpoints, this takes 3.
 */
export function naturally(a, b) {
  const [x, y] = [naturalKey(String(a)), naturalKey(String(b))];
  return x < y ? -1 : x > y ? 1 : 0;
}

const KEYS_MAX = 50_000;
const keys = new Map();

function naturalKey(text) {
  let key = keys.get(text);
  if (key === undefined) {
    if (keys.size >= KEYS_MAX) keys.clear();
    key = text.toLowerCase().replace(/\d+/g, (digits) => digits.padStart(12, '0'));
    keys.set(text, key);
  }
  return key;
}

/** Each value once, in order: what a filter offers. */
export function distinct(rows, column) {
  const found = new Set();
  for (const row of rows) if (row[column] !== null && row[column] !== '') found.add(row[column]);
  return [...found].sort((a, b) => (typeof a === 'number' ? a - b : naturally(a, b)));
}
