/** What is wrong at the moment, worst first: for the overview and for the number beside its name. */
import {formatAddress} from './address.js';

export const NOT_USED = ['ejected', 'silent'];

/** @return {{level: 'bad'|'warn', kind: string, what: string, why: string, href: string}[]} */
export function problemsOf(store) {
  if (cached.store === store && cached.version === store.version) return cached.problems;
  cached = {store, version: store.version, problems: allProblems(store)};
  return cached.problems;
}

let cached = {};

function allProblems(store) {
  return [...ofGateway(store.gateway), ...ofPools(store), ...ofEndpoints(store), ...ofObjects(store),
    ...ofReleases(store)];
}

function ofGateway(gateway) {
  const found = [];
  if (!gateway) return found;
  if (gateway.load_error) {
    found.push({level: 'bad', kind: 'configuration', what: 'The configuration cannot be read as a whole',
      why: gateway.load_error, href: formatAddress({path: ['configuration']})});
  }
  for (const listener of gateway.listeners ?? []) {
    if (!listener.error) continue;
    found.push({level: 'bad', kind: 'listener', what: `Listener ${listener.address}`, why: listener.error,
      href: formatAddress({path: ['objects'], query: {kind: 'Gateway'}})});
  }
  if (gateway.phase === 'draining') {
    found.push({level: 'warn', kind: 'gateway', what: 'The gateway is draining',
      why: 'it takes no new connections and ends when its requests have', href: formatAddress({path: ['overview']})});
  }
  return found;
}

function ofPools(store) {
  const found = [];
  for (const pool of store.table('pools').list()) {
    const href = formatAddress({path: ['endpoints'], query: {pool: pool.pool}});
    if (pool.unservable) {
      found.push({level: 'bad', kind: 'pool', what: `Pool ${pool.pool}`, why: pool.unservable, href});
    } else if (pool.endpoints === 0) {
      found.push({level: 'bad', kind: 'pool', what: `Pool ${pool.pool}`, why: 'it has no endpoints', href});
    } else if (pool.ejected + pool.silent >= pool.endpoints) {
      found.push({level: 'bad', kind: 'pool', what: `Pool ${pool.pool}`,
        why: `none of its ${pool.endpoints} endpoints is in use`, href});
    }
  }
  return found;
}

/** One line for each pool and state, with the first of the names. */
function ofEndpoints(store) {
  const groups = new Map();
  for (const row of store.table('endpoints').list()) {
    if (!NOT_USED.includes(row.state)) continue;
    const key = `${row.state} ${row.pool}`;
    const group = groups.get(key) ?? {state: row.state, pool: row.pool, names: []};
    group.names.push(row.pod || row.address);
    groups.set(key, group);
  }
  return [...groups.values()].map(({state, pool, names}) => ({
    level: 'bad', kind: 'endpoints',
    what: `${names.length} endpoint${names.length === 1 ? '' : 's'} of ${pool} ${state}`,
    why: names.slice(0, 4).join(', ') + (names.length > 4 ? ` and ${names.length - 4} more` : ''),
    href: formatAddress({path: ['endpoints'], query: {pool, state}}),
  }));
}

function ofObjects(store) {
  return store.table('objects').list().filter((row) => !row.ok).map((row) => ({
    level: 'warn', kind: 'object', what: nameOf(row), why: shortReason(row),
    href: formatAddress({path: ['objects'], query: {sel: keyOf(row)}}),
  }));
}

function ofReleases(store) {
  return store.table('releases').list().filter((row) => ['RolledBack', 'Holding'].includes(row.phase))
    .map((row) => ({level: 'warn', kind: 'release', what: `Release ${row.release} ${row.phase}`,
      why: row.text ?? '', href: formatAddress({path: ['releases'], query: {sel: row.release}})}));
}

export const nameOf = (row) => `${row.kind} ${row.namespace ? `${row.namespace}/` : ''}${row.name}`;
export const keyOf = (row) => `${row.kind}/${row.namespace ?? ''}/${row.name}`;

/** `why` without the object's own name, which stands beside it. */
export function reasonOf(row) {
  const why = row.why ?? '';
  const name = nameOf(row);
  return why.startsWith(name) ? why.slice(name.length).replace(/^[:,]?\s+/, '') : why;
}

function shortReason(row) {
  const {field, text} = partsOf(row);
  return field ? `${field}: ${text}` : text;
}

/**
 * What `why` says, in its parts: of which parent or listener, the condition, the field at fault, what
 * was wanted, and the line of the file where that stands. What is not there is "".
 */
export function partsOf(row) {
  const [, of = '', condition = '', said, place = ''] =
    /^(?:((?:parent|listener) .+?): (?=[A-Z]))?(?:([A-Z]\w+: [A-Z]\w+): )?(.*?)(?: \((\S+:\d+)\))?$/s.exec(reasonOf(row));
  const found = /^((?:rule|listener) \S+|[a-z][\w-]*[.[][\w.[\]/-]*): (.*)$/s.exec(said);
  return {of, condition, field: found ? found[1] : '', text: found ? found[2] : said, place};
}
