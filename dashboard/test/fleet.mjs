/**
 * A real gateway before simulated replicas with faults, as the page's test wants it: an ejected and a
 * silent endpoint, a queue with two tenants, a release, an object that is not ok, and a change of
 * the configuration.
 */
import {spawn} from 'node:child_process';
import {closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {Agent, request} from 'node:http';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';

import {random} from './random.mjs';
import {eventually} from './wait.mjs';

const PENSTOCK = process.env.PENSTOCK || fileURLToPath(new URL('../../build/penstock', import.meta.url));
const MODEL = 'Qwen3-32B';
const REPLICA_PORT = 8000;
const QWEN = 6;
const CHAT_CLIENTS = 56; // more than the replicas run, so that some wait
const LLAMA_CLIENTS = 4;

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const {port} = server.address();
      server.close(() => resolve(port));
    });
  });
}

const pods = (name, net, first, count, labels) => Array.from({length: count}, (_, i) => `apiVersion: v1
kind: Pod
metadata:
  name: ${name}-${i}
  labels: {${labels}}
status:
  podIP: ${net}.${first + i}
`).join('---\n');

const pool = (name, labels, annotations = '') => `apiVersion: inference.networking.k8s.io/v1
kind: InferencePool
metadata:
  name: ${name}
${annotations}spec:
  selector:
    matchLabels: {${labels}}
  targetPorts:
  - number: ${REPLICA_PORT}
`;

const route = (name, hostname, refs) => `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: ${name}
spec:
  parentRefs:
  - name: inference-gateway
  hostnames: [${hostname}]
  rules:
  - name: chat
    backendRefs:
${refs.map(([ref, weight]) => `    - {group: inference.networking.k8s.io, kind: InferencePool, name: ${ref}, weight: ${weight}}\n`).join('')}`;

const queueing = (timeout) => `  annotations:
    inference.networking.x-k8s.io/routing-strategy: PREFIX_CACHE
    penstock.dev/queueing: "true"
    penstock.dev/queue-timeout: ${timeout}
    penstock.dev/saturation-requests: "8"
`;

function objects(net, port) {
  return {
    'gateway.yaml': `apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata:
  name: penstock
spec:
  controllerName: penstock.dev/gateway-controller
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: inference-gateway
spec:
  gatewayClassName: penstock
  listeners:
  - {name: http, protocol: HTTP, port: ${port}}
`,
    'routes.yaml': [route('chat', 'qwen.example', [['qwen', 1]]), route('llama', 'llama.example', [['llama-v1', 100], ['llama-v2', 0]]),
      route('broken', 'broken.example', [['qwenn', 1]])].join('---\n'),
    'qwen.yaml': [pool('qwen', 'app: qwen', queueing('60s')), pods('qwen', net, 11, QWEN, 'app: qwen')].join('---\n'),
    'llama.yaml': [pool('llama-v1', 'app: v1'), pods('llama-v1', net, 31, 2, 'app: v1'), pool('llama-v2', 'app: v2'), pods('llama-v2', net, 41, 2, 'app: v2')].join('---\n'),
    'objectives.yaml': `apiVersion: inference.networking.x-k8s.io/v1alpha2
kind: InferenceObjective
metadata:
  name: critical
spec:
  priority: 1
  poolRef:
    name: qwen
`,
    'release.yaml': `apiVersion: penstock.dev/v1alpha1
kind: ModelRelease
metadata:
  name: llama-v2
spec:
  route: {name: llama, rule: chat}
  stable: {name: llama-v1}
  candidate: {name: llama-v2}
  steps:
  - {weight: 25, pause: 1s, samplesMin: 1}
  - {weight: 50, pause: 10m, samplesMin: 1}
  - {weight: 75, pause: 10m, samplesMin: 1}
  criteria: {errorRate: 0.05, ttft: 3}
`,
  };
}

/** Chats that never end: as many as clients, one after another each. */
class Load {
  constructor(port) {
    this.port = port;
    this.agent = new Agent({keepAlive: true, maxSockets: 500});
    this.hasEnded = false;
    this.answers = 0;
    this.chance = random(1);
  }

  start(clients, host, headers) {
    for (let i = 0; i < clients; ++i) this.chat(host, headers(i), i).catch(() => {});
  }

  async chat(host, headers, client) {
    // Rounds of a conversation: each begins with what was said before.
    let said = `You are the assistant of customer ${client % 7}. ${'Answer briefly and truthfully. '.repeat(20)}`;
    while (!this.hasEnded) {
      said = said.length > 12_000 ? said.slice(0, 700) : `${said} ${this.words(40)}`;
      await this.ask(host, headers, {model: MODEL, stream: true, stream_options: {include_usage: true}, ignore_eos: true,
        max_tokens: 16 + this.chance.below(60), messages: [{role: 'user', content: said}]});
    }
  }

  words(count) {
    return Array.from({length: count}, () => Math.floor(this.chance() * 1e9).toString(36)).join(' ');
  }

  ask(host, headers, body) {
    return new Promise((resolve) => {
      const asked = request({host: '127.0.0.1', port: this.port, path: '/v1/chat/completions', method: 'POST', agent: this.agent,
        headers: {host, 'content-type': 'application/json', ...headers}}, (response) => {
        response.on('end', () => ++this.answers).on('close', resolve).resume();
      });
      asked.on('error', () => setTimeout(resolve, 200));
      asked.end(JSON.stringify(body));
    });
  }

  end() {
    this.hasEnded = true;
    this.agent.destroy();
  }
}

export async function startFleet() {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-dashboard-'));
  const net = `127.${64 + (process.pid % 64)}.${(process.pid >> 6) % 250}`;
  const [port, admin] = [await freePort(), await freePort()];
  const children = [];
  // Whatever ends this program ends them.
  process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));
  const start = (name, ...args) => {
    const log = openSync(join(folder, `${name}.log`), 'w');
    const child = spawn(PENSTOCK, args, {stdio: ['ignore', log, log]});
    closeSync(log);
    child.name = name;
    children.push(child);
  };
  const files = objects(net, port);
  const write = (name, text) => writeFileSync(join(folder, 'objects', name), text);
  mkdirSync(join(folder, 'objects'));
  for (const [name, text] of Object.entries(files)) write(name, text);

  const sim = (name, first, count, ...args) => start(name, 'sim', '--replicas', String(count), '--listen', `${net}.${first}:${REPLICA_PORT}`, '--name', name, '--model', MODEL, ...args);
  sim('qwen', 11, QWEN, '--preset', 'qwen3-32b-pro6000-tp2', '--max-num-seqs', '8', '--kv-blocks', '1500', '--fault', 'replica=1:refuse', '--fault', 'replica=3:slow-metrics=60s');
  sim('llama-v1', 31, 2, '--preset', 'llama-8b-pro6000');
  sim('llama-v2', 41, 2, '--preset', 'llama-8b-pro6000');
  start('gateway', 'serve', '-f', join(folder, 'objects'), '--bind', '127.0.0.1', '--admin', `127.0.0.1:${admin}`, '--release-state', '');
  const url = `http://127.0.0.1:${admin}/`;
  const load = new Load(port);

  const fleet = {
    url, folder, load,
    scene: {ejected: 'qwen-1', silent: 'qwen-3', broken: 'HTTPRoute default/broken', brokenField: 'qwenn', pool: 'default/qwen', tenants: ['team-a', 'team-b'],
      release: 'default/llama-v2', changed: 'InferencePool default/qwen', added: 'penstock.dev/queue-timeout: 30s', removed: 'penstock.dev/queue-timeout: 60s', served: 'kind: InferencePool'},
    logs: () => children.map((child) => `--- ${child.name}\n${readFileSync(join(folder, `${child.name}.log`), 'utf8').split('\n').filter((line) => !line.includes('"level":"info"')).slice(-15).join('\n')}`).join('\n'),
    async close() {
      load.end();
      const gone = children.map((child) => new Promise((resolve) => (child.exitCode !== null || child.signalCode ? resolve() : child.on('exit', resolve))));
      for (const child of children) child.kill('SIGKILL');
      await Promise.all(gone);
      rmSync(folder, {recursive: true, force: true});
    },
  };
  try {
    const alive = () => {
      const dead = children.find((child) => child.exitCode !== null);
      if (dead) throw new Error(`${dead.name} has ended with ${dead.exitCode}`);
    };
    await eventually('the gateway is ready', async () => {
      alive();
      return (await fetch(`${url}readyz`)).ok;
    });
    load.start(CHAT_CLIENTS, 'qwen.example', (i) => ({'x-gateway-inference-fairness-id': i % 3 ? 'team-a' : 'team-b', ...(i % 9 === 0 && {'x-gateway-inference-objective': 'critical'})}));
    load.start(LLAMA_CLIENTS, 'llama.example', () => ({}));
    // A change that the page can show.
    write('qwen.yaml', files['qwen.yaml'].replace('60s', '30s'));
    await eventually('chats are answered', () => {
      alive();
      return load.answers > 50;
    });
  } catch (error) {
    console.error(fleet.logs());
    await fleet.close();
    throw error;
  }
  return fleet;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const fleet = await startFleet();
  console.log(`a gateway at ${fleet.url}, its logs in ${fleet.folder}; end it with Ctrl-C`);
}
