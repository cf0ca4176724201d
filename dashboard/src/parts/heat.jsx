/** All endpoints as small squares: how full each one's KV cache is, and which are not in use. */
import {useEffect, useLayoutEffect, useRef, useState} from 'preact/hooks';

import {color, themeVersion} from '../theme.js';
import {count, percent} from '../units.js';
import {Shape} from './state.jsx';

const HEIGHT_PX = 66;
const STEPS = 10;
const PAINT_MS = 900;

/** @param {{rows: object[], onPick: (row: object) => void}} props `rows` in the order in which they stand */
export function Heat({rows, onPick}) {
  const canvas = useRef(null);
  const grid = useRef({side: 10, across: 1});
  const colors = useRef(null);
  const [width, setWidth] = useState(0);
  const [over, setOver] = useState(null);
  const theme = themeVersion();

  useEffect(() => {
    const frame = canvas.current.parentElement;
    const observer = new ResizeObserver(() => setWidth(frame.clientWidth));
    observer.observe(frame);
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => {
    colors.current = {load: Array.from({length: STEPS + 1}, (_, i) => color(`heat-${i}`)), bad: color('bad'), warn: color('warn'), dim: color('dim'), panel: color('panel')};
  }, [theme]);
  useLayoutEffect(() => {
    if (width === 0) return;
    // Of thousands of squares a picture a second is enough.
    const key = `${width} ${theme} ${rows.length} ${rows[0]?.key} ${rows.at(-1)?.key}`;
    const {painted} = grid;
    if (painted?.key === key && performance.now() - painted.at < PAINT_MS) return;
    grid.painted = {key, at: performance.now()};
    grid.current = paint(canvas.current, rows, width, colors.current);
  });

  const at = (event) => {
    const {side, across} = grid.current;
    const index = Math.floor(event.offsetY / side) * across + Math.floor(event.offsetX / side);
    return event.offsetX < across * side ? rows[index] ?? null : null;
  };
  const bad = rows.filter((row) => row.state !== 'ready').length;
  return (
    <figure class="heat">
      <canvas ref={canvas} role="img" aria-label={`${rows.length} endpoints by KV-cache use; ${bad} of them not ready. The table below has the same.`}
        onPointerMove={(event) => setOver(at(event))} onPointerLeave={() => setOver(null)} onClick={(event) => {
          const row = at(event);
          if (row) onPick(row);
        }} />
      <figcaption>
        {over ? <span><Shape word={over.state} /> <b>{over.pod ?? over.address}</b> {over.state}, KV cache {percent(over.kv_cache_utilization_ratio)}, {count(over.in_flight)} in flight, {count(over.waiting)} waiting</span> :
          <span class="scale">KV cache 0 % {Array.from({length: STEPS + 1}, (_, i) => <i key={i} class={`heat-${i}`} />)} 100 %
            <span class="gap" /><i class="heat-out" /> ejected or silent <i class="heat-doubt" /> stale, unknown or on trial</span>}
      </figcaption>
    </figure>
  );
}

function paint(canvas, rows, width, colors) {
  let side = 14;
  while (side > 3 && Math.ceil(rows.length / Math.floor(width / side)) * side > HEIGHT_PX) --side;
  const across = Math.max(1, Math.floor(width / side));
  const height = Math.max(side, Math.ceil(rows.length / across) * side);
  const scale = devicePixelRatio || 1;
  const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== w || canvas.height !== h) {
    [canvas.width, canvas.height] = [w, h];
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const draw = canvas.getContext('2d');
  draw.setTransform(scale, 0, 0, scale, 0, 0);
  draw.clearRect(0, 0, width, height);
  const size = side > 5 ? side - 2 : side - 1;
  const place = (i) => [(i % across) * side, Math.floor(i / across) * side];
  const outs = [];
  const doubtful = [];
  // By colours: to set one costs more than to fill a square.
  const buckets = Array.from({length: STEPS + 1}, () => []);
  rows.forEach((row, i) => {
    if (row.state === 'ejected' || row.state === 'silent') {
      outs.push(i);
      return;
    }
    if (row.state !== 'ready') doubtful.push(i);
    buckets[Math.round(Math.max(0, Math.min(1, row.kv_cache_utilization_ratio ?? 0)) * STEPS)].push(i);
  });
  const fill = (indices, color) => {
    draw.fillStyle = color;
    for (const i of indices) draw.fillRect(...place(i), size, size);
  };
  buckets.forEach((indices, step) => fill(indices, colors.load[step]));
  fill(outs, colors.bad);
  draw.beginPath(); // crossed out, for who does not see the colour
  for (const i of size > 3 ? outs : []) {
    const [x, y] = place(i);
    draw.moveTo(x + 1, y + 1);
    draw.lineTo(x + size - 1, y + size - 1);
    draw.moveTo(x + size - 1, y + 1);
    draw.lineTo(x + 1, y + size - 1);
  }
  draw.strokeStyle = colors.panel;
  draw.lineWidth = Math.max(1, size / 8);
  draw.stroke();
  draw.strokeStyle = colors.warn;
  draw.lineWidth = size > 5 ? 2 : 1;
  for (const i of doubtful) {
    const [x, y] = place(i);
    draw.strokeRect(x + 1, y + 1, size - 2, size - 2);
  }
  return {side, across};
}
