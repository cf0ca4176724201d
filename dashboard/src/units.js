/** Numbers as people read them. What is absent is "–". */

export const ABSENT = '–';
const isAbsent = (value) => value === null || value === undefined || Number.isNaN(value);

/** Three significant digits, but no less than whole numbers. */
function digits(value) {
  const size = Math.abs(value);
  if (size >= 100 || value === 0) return value.toFixed(0);
  return size >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** 12,345 as it is up to five digits, then 1.23M. */
export function count(value) {
  if (isAbsent(value)) return ABSENT;
  if (Math.abs(value) >= 1e9) return `${digits(value / 1e9)}G`;
  if (Math.abs(value) >= 1e6) return `${digits(value / 1e6)}M`;
  if (Math.abs(value) >= 1e5) return `${digits(value / 1e3)}k`;
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/, ',');
}

/** Requests or tokens per second, without the unit. */
export function rate(value) {
  if (isAbsent(value)) return ABSENT;
  if (Math.abs(value) >= 1e6) return `${digits(value / 1e6)}M`;
  if (Math.abs(value) >= 1e4) return `${digits(value / 1e3)}k`;
  return digits(value);
}

export function percent(ratio) {
  if (isAbsent(ratio)) return ABSENT;
  const value = ratio * 100;
  if (value > 0 && value < 0.05) return '< 0.1 %';
  return `${value > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} %`;
}

export function ms(value) {
  if (isAbsent(value)) return ABSENT;
  if (Math.abs(value) < 1) return `${digits(value)} ms`;
  if (Math.abs(value) < 999.5) return `${digits(value)} ms`;
  return seconds(value / 1000);
}

export function seconds(value) {
  if (isAbsent(value)) return ABSENT;
  const size = Math.abs(value);
  if (size === 0) return '0 s';
  if (size < 0.9995) return `${digits(value * 1000)} ms`;
  if (size < 100) return `${digits(value)} s`;
  return span(value * 1000);
}

export function bytes(value) {
  if (isAbsent(value)) return ABSENT;
  if (value < 1000) return `${Math.round(value)} B`;
  for (const [size, unit] of [[1e9, 'GB'], [1e6, 'MB'], [1e3, 'KB']]) {
    if (value >= size * 0.9995) return `${digits(value / size)} ${unit}`;
  }
  return ABSENT;
}

/** A length of time in its two largest units: 4 s, 2 min 5 s, 3 h 12 min, 2 d 4 h. */
export function span(lengthMs) {
  if (isAbsent(lengthMs)) return ABSENT;
  const total = Math.max(0, Math.round(lengthMs / 1000));
  const [d, h, m, s] = [total / 86400, (total / 3600) % 24, (total / 60) % 60, total % 60].map(Math.floor);
  if (d > 0) return h > 0 ? `${d} d ${h} h` : `${d} d`;
  if (h > 0) return m > 0 ? `${h} h ${m} min` : `${h} h`;
  if (m > 0) return s > 0 ? `${m} min ${s} s` : `${m} min`;
  return `${s} s`;
}

const two = (value) => String(value).padStart(2, '0');

/** The time of day, in the browser's zone. */
export function clock(atMs) {
  if (isAbsent(atMs)) return ABSENT;
  const date = new Date(atMs);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** The same with the day. */
export function dateTime(atMs) {
  if (isAbsent(atMs)) return ABSENT;
  const date = new Date(atMs);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(atMs)}`;
}

export function iso(atMs) {
  return isAbsent(atMs) ? '' : new Date(atMs).toISOString();
}
