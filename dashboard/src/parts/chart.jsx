/** Lines over time by uPlot, with a legend that says the values, and all of it as a text. */
import {useEffect, useRef, useState} from 'preact/hooks';
import uPlot from 'uplot';

import {feed} from '../app.js';
import {color, themeVersion} from '../theme.js';
import {clock} from '../units.js';

const HEIGHT_PX = 150;
/** What a series looks like: colours differ, and dashes do. */
const LOOKS = [['series-1', []], ['series-2', [7, 4]], ['series-3', [2, 3]], ['series-4', [10, 3, 2, 3]], ['series-5', [4, 2]]];
const sync = uPlot.sync('time');

/**
 * @param {{title: string, lines: {label: string, values: (number|null)[]}[], times: number[], version: number, format: (value: number) => string, windowS: number}} props
 *     `version` is another when there is something new
 */
export function Chart({title, note, lines, times, version, format, windowS}) {
  const holder = useRef(null);
  const plot = useRef(null);
  const formatNow = useRef(format);
  formatNow.current = format;
  const windowNow = useRef(windowS);
  windowNow.current = windowS;
  const [cursor, setCursor] = useState(null);
  const shape = `${lines.length} ${themeVersion()}`;

  useEffect(() => {
    const element = holder.current; // the observer may be called when the chart is gone
    const made = plot.current = newPlot(element, lines.length, (value) => formatNow.current(value), () => windowNow.current, setCursor);
    const observer = new ResizeObserver(() => {
      const width = element.clientWidth;
      if (width > 0 && width !== made.width) made.setSize({width, height: HEIGHT_PX});
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => {
    plot.current?.setData([times, ...lines.map((line) => line.values)]);
  }, [shape, version, windowS, lines]);

  const at = cursor !== null && cursor < times.length ? cursor : times.length - 1;
  return (
    <figure class="chart">
      <figcaption>
        <span class="title">{title}{note && <small> {note}</small>}<span class="when">{cursor !== null && cursor < times.length ? clock(times[cursor] * 1000) : ''}</span></span>
        <span class="legend">
          {lines.map((line, i) => (
            <span key={line.label} class="entry"><Swatch look={i} />{line.label} <b>{format(line.values[at] ?? null)}</b></span>
          ))}
        </span>
      </figcaption>
      <div ref={holder} class="plot" role="img" aria-label={textOf(title, lines, times, windowS, format)} />
    </figure>
  );
}

function Swatch({look}) {
  const [name, dash] = LOOKS[look % LOOKS.length];
  return <svg class={`swatch ${name}`} viewBox="0 0 18 6" aria-hidden="true"><path d="M0 3h18" stroke-dasharray={dash.join(' ') || undefined} /></svg>;
}

function newPlot(holder, lines, format, windowS, onCursor) {
  const [grid, text] = [color('line'), color('dim')];
  const axis = {stroke: text, font: `11px ${getComputedStyle(document.body).fontFamily}`, grid: {stroke: grid, width: 1}, ticks: {show: false}};
  const options = {
    width: holder.clientWidth || 300,
    height: HEIGHT_PX,
    padding: [8, 26, 0, 0],
    legend: {show: false},
    cursor: {sync: {key: sync.key}, drag: {x: false, y: false}, points: {size: 5}},
    scales: {
      // The right edge is now, by the gateway's clock: what is late is seen to be.
      x: {time: true, range: () => {
        const end = Math.floor(feed.now() / 1000);
        return [end - windowS(), end];
      }},
      y: {range: (_, low, high) => [Math.min(0, low ?? 0), high > 0 ? high * 1.12 : 1]},
    },
    axes: [
      {...axis, size: 24, space: 50, grid: {show: false}, values: (_, all, axisIndex, space, step) => all.map((second) => clock(second * 1000).slice(0, step < 60 ? 8 : 5))},
      {...axis, size: 58, space: 28, values: (_, all) => all.map((value) => format(value).replace(/\.0+(?=\D|$)/, ''))},
    ],
    series: [{}, ...Array.from({length: lines}, (_, i) => {
      const [name, dash] = LOOKS[i % LOOKS.length];
      return {stroke: color(name), dash, width: 1.6, points: {show: false}, spanGaps: false, ...(lines === 1 && {fill: color(`${name}-fill`)})};
    })],
    hooks: {setCursor: [(u) => onCursor(u.cursor.idx ?? null)]},
  };
  return new uPlot(options, [[], ...Array.from({length: lines}, () => [])], holder);
}

/** For who does not see it: what each line is now, and between what it was. */
function textOf(title, lines, times, windowS, format) {
  if (times.length === 0) return `${title}: nothing yet`;
  const from = times.findIndex((second) => second >= times[times.length - 1] - windowS);
  const told = lines.map(({label, values}) => {
    let [low, high] = [Infinity, -Infinity];
    for (let i = from; i < values.length; ++i) {
      if (values[i] === null) continue;
      low = Math.min(low, values[i]);
      high = Math.max(high, values[i]);
    }
    if (low > high) return `${label}: nothing`;
    return `${label} ${format(values.at(-1))} now, ${format(low)} to ${format(high)}`;
  });
  return `${title} over the last ${Math.round(windowS / 60)} minutes: ${told.join('; ')}`;
}
