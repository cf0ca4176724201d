/**
 * The difference of two texts by lines (Myers, "An O(ND) Difference Algorithm", 1986). Of texts that
 * differ in more than `stepsMax` lines everything is told as another: it would be no help to anybody.
 *
 * @param {string|null} before null: there was none
 * @param {string|null} after
 * @return {{sign: ' '|'-'|'+', text: string, before: number, after: number}[]} with line numbers from
 *     1; 0 where the line is not on that side
 */
export function diffLines(before, after, stepsMax = 800) {
  const a = lines(before);
  const b = lines(after);
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) ++start;
  let tail = 0;
  while (tail < a.length - start && tail < b.length - start &&
         a[a.length - 1 - tail] === b[b.length - 1 - tail]) ++tail;

  const out = [];
  for (let i = 0; i < start; ++i) out.push({sign: ' ', text: a[i], before: i + 1, after: i + 1});
  for (const step of middle(a.slice(start, a.length - tail), b.slice(start, b.length - tail), stepsMax)) {
    if (step.before) step.before += start;
    if (step.after) step.after += start;
    out.push(step);
  }
  for (let i = tail; i > 0; --i) {
    out.push({sign: ' ', text: a[a.length - i], before: a.length - i + 1, after: b.length - i + 1});
  }
  return out;
}

function lines(text) {
  if (text === null || text === undefined || text === '') return [];
  return text.replace(/\n$/, '').split('\n');
}

function middle(a, b, stepsMax) {
  const trace = searchPath(a, b, stepsMax);
  const out = [];
  if (!trace) {
    a.forEach((text, i) => out.push({sign: '-', text, before: i + 1, after: 0}));
    b.forEach((text, i) => out.push({sign: '+', text, before: 0, after: i + 1}));
    return out;
  }
  // Back from the end, by what each number of steps had reached.
  let x = a.length;
  let y = b.length;
  for (let d = trace.length - 1; d >= 0; --d) {
    const reached = trace[d];
    const k = x - y;
    const down = k === -d || (k !== d && reached.get(k - 1) < reached.get(k + 1));
    const fromK = down ? k + 1 : k - 1;
    const fromX = d === 0 ? 0 : reached.get(fromK);
    const fromY = d === 0 ? 0 : fromX - fromK;
    while (x > fromX && y > fromY) {
      out.push({sign: ' ', text: a[x - 1], before: x, after: y});
      --x;
      --y;
    }
    if (d === 0) break;
    if (down) out.push({sign: '+', text: b[y - 1], before: 0, after: y--});
    else out.push({sign: '-', text: a[x - 1], before: x--, after: 0});
  }
  return out.reverse();
}

/** For each number of steps how far each diagonal had come before it; null: too many. */
function searchPath(a, b, stepsMax) {
  const trace = [];
  const reached = new Map([[1, 0]]);
  for (let d = 0; d <= Math.min(a.length + b.length, stepsMax); ++d) {
    trace.push(new Map([...reached].filter(([k]) => k >= -d - 1 && k <= d + 1)));
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && reached.get(k - 1) < reached.get(k + 1));
      let x = down ? reached.get(k + 1) : reached.get(k - 1) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) ++x;
      reached.set(k, x);
      if (x >= a.length && x - k >= b.length) return trace;
    }
  }
  return null;
}

/** Without the lines that are far from any change; `{skipped: n}` in their place. */
export function withContext(diff, context = 3) {
  const near = new Array(diff.length).fill(false);
  diff.forEach((line, i) => {
    if (line.sign === ' ') return;
    for (let j = Math.max(0, i - context); j <= Math.min(diff.length - 1, i + context); ++j) near[j] = true;
  });
  const out = [];
  let skipped = 0;
  const flush = () => {
    if (skipped > 0) out.push({skipped});
    skipped = 0;
  };
  diff.forEach((line, i) => {
    if (!near[i]) {
      ++skipped;
      return;
    }
    flush();
    out.push(line);
  });
  flush();
  return out;
}
