/**
 * The view, its filters, its order and what is selected stand in the address's fragment, so that a
 * view can be sent to somebody: `#/endpoints?pool=default/qwen&sort=-waiting`.
 */

/** @typedef {{path: string[], query: Record<string, string>}} Address */

/** @return {Address} */
export function parseAddress(hash) {
  const text = hash.replace(/^#/, '');
  const mark = text.indexOf('?');
  const path = (mark < 0 ? text : text.slice(0, mark)).split('/').filter(Boolean).map(decode);
  const query = {};
  if (mark >= 0) {
    for (const [name, value] of new URLSearchParams(text.slice(mark + 1))) query[name] = value;
  }
  return {path, query};
}

/** The inverse. Names without a value are left out, so that an address is as short as can be. */
export function formatAddress({path, query = {}}) {
  const pairs = Object.entries(query).filter(([, value]) => value !== '' && value !== null && value !== undefined);
  pairs.sort(([a], [b]) => (a < b ? -1 : 1));
  const words = pairs.map(([name, value]) => `${encode(name)}=${encode(String(value))}`);
  return `#/${path.map(encode).join('/')}${words.length > 0 ? `?${words.join('&')}` : ''}`;
}

/** `/`, `:` and `,` stay as they are: names of pools and addresses remain legible. */
function encode(text) {
  return encodeURIComponent(text).replaceAll('%3A', ':').replaceAll('%2C', ',')
    .replaceAll('%2F', '/');
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** `-waiting` and `waiting` as {key, down}. */
export function parseSort(text, standard) {
  const word = text || standard;
  return word.startsWith('-') ? {key: word.slice(1), down: true} : {key: word, down: false};
}

/** What a click on a column's head makes of the order: numbers begin with the greatest. */
export function nextSort(current, key, isNumber) {
  if (current.key !== key) return isNumber ? `-${key}` : key;
  return current.down ? key : `-${key}`;
}
