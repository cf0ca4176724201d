/**
 * Looks at every view of the page in Chromium: in light, in dark and as wide as a phone. Each must
 * show what is there, without an error, and pass axe. Then how it is worked with: keys, filters,
 * a list that is paused, a token, a lost connection, thousands of endpoints.
 *
 *   node test/browser.mjs [--mock] [--page] [--pictures FOLDER]     PENSTOCK=binary
 *
 * --mock: of a gateway that is none; --page: with the page of dist/, not the one in the binary.
 */
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join} from 'node:path';

import {launch, openPage} from './chromium.mjs';
import {startFleet} from './fleet.mjs';
import {startMock} from './mock.mjs';
import {startPage} from './page.mjs';
import {eventually} from './wait.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const LOOKS = [
  {name: 'light', options: {colorScheme: 'light', viewport: {width: 1280, height: 860}}},
  {name: 'dark', options: {colorScheme: 'dark', viewport: {width: 1280, height: 860}}},
  {name: 'phone', options: {colorScheme: 'light', viewport: {width: 360, height: 740}, hasTouch: true, isMobile: true}},
];
const PICTURES = {overview: ['dark', 'dashboard.png'], endpoints: ['light', 'dashboard-endpoints.png'], request: ['light', 'dashboard-request.png']};

const args = process.argv.slice(2);
const isMock = args.includes('--mock');
const pictures = args.includes('--pictures') ? args[args.indexOf('--pictures') + 1] : null;

async function startScene() {
  if (!isMock) {
    const fleet = await startFleet();
    if (!args.includes('--page')) return fleet;
    const page = await startPage(fleet.url);
    return {...fleet, url: page.url, close: () => Promise.all([page.close(), fleet.close()])};
  }
  const mock = await startMock({endpoints: 60});
  const scene = {ejected: 'qwen-1', silent: 'qwen-3', broken: 'HTTPRoute default/broken', brokenField: 'qwenn', pool: 'default/qwen', tenants: ['team-a', 'team-b'],
    release: 'default/qwen-v2', changed: 'InferencePool default/qwen', added: 'number: 8000', removed: 'number: 8001', served: 'kind: InferencePool', peers: [['gateway-b', /linked/], ['gateway-c', /silent/], ['not met yet', /unreachable/]]};
  return {...mock, scene, logs: () => ''};
}

/** The views with what each must show. `text`: of the whole view; `see`: more than that. */
function viewsOf(scene) {
  const row = (page, name) => page.locator('.table tbody tr', {hasText: name}).first();
  return [
    {name: 'overview', hash: '#/overview?last=60', text: ['Requests', 'Time to first token', scene.pool, 'In flight'], see: async (page) => {
      await hasText(page.locator('.problems'), new RegExp(`endpoints? of ${scene.pool} ejected`));
      await hasText(page.locator('.problems'), scene.broken);
      await eventually('requests end', async () => Number.parseFloat(await page.locator('.tile', {hasText: 'Requests'}).locator('b').innerText()) > 0);
      await eventually('a chart has a text', async () => /p50 [\d.]+ m?s now/.test(await page.locator('.chart', {hasText: 'Time to first token'}).locator('[role=img]').getAttribute('aria-label')));
      await hasText(row(page, scene.pool), /ejected/);
      const peers = page.locator('.table[aria-label=Peers]');
      if (!scene.peers) return assert.equal(await peers.count(), 0, 'who is alone has no peers to show');
      for (const [name, state] of scene.peers) await hasText(peers.locator('tbody tr', {hasText: name}), state);
    }},
    {name: 'endpoints', hash: '#/endpoints', text: ['KV cache'], see: async (page) => {
      await hasText(row(page, scene.ejected), /ejected/);
      await hasText(row(page, scene.silent), /silent/);
      await eventually('a ready one has work', async () => /ready.*[1-9]/s.test(await row(page, 'ready').innerText()));
    }},
    {name: 'endpoint', hash: `#/endpoints?pool=${scene.pool}&state=ready`, text: [], see: async (page) => {
      await page.locator('.table tbody tr a').first().click();
      await hasText(page.locator('.inspector'), /Pending prompt tokens/);
      await hasText(page.locator('.inspector'), /Its last requests/);
      assert.match(new URL(page.url()).hash, /sel=/);
    }},
    {name: 'queue', hash: '#/queue', text: [scene.pool, 'Waiting'], see: async (page) => {
      for (const tenant of scene.tenants) await hasText(row(page, tenant), /room|reserved|saturated|ceiling/);
    }},
    {name: 'releases', hash: '#/releases', text: [scene.release, 'Progressing', 'step 2'], see: async (page) => {
      await hasText(page.locator('.release'), /Seen in this step/);
      await hasText(page.locator('.history'), /step 1|Progressing/);
    }},
    {name: 'objects', hash: '#/objects', text: [scene.broken, 'InferencePool'], see: async (page) => {
      await hasText(page.locator('.wrong').first(), scene.brokenField);
      await hasText(page.locator('.wrong').first(), /yaml:\d+/);
      await page.locator('.wrong a').first().click();
      await hasText(page.locator('.inspector'), /ResolvedRefs\s+False/);
    }},
    {name: 'requests', hash: `#/requests?pool=${scene.pool}&outcome=complete`, text: ['Dispatched', 'Why there'], see: async (page) => {
      await hasText(page.locator('.table tbody tr').first(), /200/);
    }},
    {name: 'request', hash: null, text: ['Course', 'Tokens and queue', 'Tries', 'try 1'], see: async (page) => {
      await hasText(page.locator('.scores .chosen'), /\d\.\d{3}/);
      assert.ok(await page.locator('.timeline .stage').count() >= 3);
    }},
    {name: 'configuration', hash: '#/configuration', text: ['As served', 'Generation'], see: async (page) => {
      await page.locator('.generations a', {hasText: scene.changed.split(' ')[0]}).first().click();
      await hasText(page.locator('.diff', {hasText: scene.changed}).locator('.plus').last(), scene.added);
      await hasText(page.locator('.diff .minus').first(), scene.removed);
      await page.locator('.generations a', {hasText: 'As served'}).click();
      await hasText(page.locator('pre.code'), scene.served);
      await page.goBack();
      await page.locator('.diff').first().waitFor();
    }},
  ];
}

async function hasText(locator, wanted) {
  await eventually(`it says ${wanted}`, async () => {
    const text = await locator.first().innerText();
    return typeof wanted === 'string' ? text.includes(wanted) : wanted.test(text);
  });
}

/** To a view of the same page, as a click in the menu does. */
async function show(page, url, hash) {
  if (!page.url().startsWith(url)) await page.goto(url + hash);
  else await page.evaluate((to) => {
    location.hash = to;
  }, hash);
  await page.locator('main h1').first().waitFor();
}

async function isAccessible(page, where) {
  const found = await page.evaluate(`(async () => {
    if (!window.axe) { ${AXE} }
    const {violations} = await axe.run(document, {resultTypes: ['violations']});
    return violations.map(({id, help, nodes}) => id + ': ' + help + ': ' + nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(' | '));
  })()`);
  assert.deepEqual(found, [], `axe: ${where}`);
}

/** A request that went well, of the pool; better one that was tried twice. */
async function requestToShow(page, pool) {
  return eventually('a request has ended', () => page.evaluate((wanted) => {
    const good = penstock.store.requests.filter((row) => row.pool === wanted && row.outcome === 'complete' && row.status === 200 && row.candidates > 1);
    return (good.findLast((row) => row.tries > 1) ?? good.at(-1))?.id;
  }, pool));
}

async function lookAtAll(browser, {url, scene}, look) {
  const wrongs = [];
  const page = await openPage(browser, look.options, wrongs);
  const head = await page.goto(url);
  assert.match(head.headers()['content-security-policy'] ?? '', /default-src 'none'/);
  await eventually('the feed is live', async () => (await page.locator('.top .feed').innerText()).includes('live'));
  for (const view of viewsOf(scene)) {
    const hash = view.hash ?? `#/request/${encodeURIComponent(await requestToShow(page, scene.pool))}`;
    await show(page, url, hash);
    for (const text of view.text) await hasText(page.locator('main'), text);
    await view.see(page);
    const [picture, file] = PICTURES[view.name] ?? [];
    if (pictures && picture === look.name) await takePicture(page, view.name, join(pictures, file));
    if (process.env.SHOTS) await page.screenshot({path: join(process.env.SHOTS, `${view.name}-${look.name}.png`)});
    await isAccessible(page, `${view.name}, ${look.name}`);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(over <= 0, `${view.name}, ${look.name}: ${over} px too wide`);
    assert.deepEqual(wrongs, [], `${view.name}, ${look.name}`);
  }
  await page.context().close();
  console.log(`ok: every view, ${look.name}`);
}

/** With something in the charts. */
async function takePicture(page, name, path) {
  if (name === 'overview') {
    await eventually('the charts have a minute', () => page.evaluate(() => performance.now() > 45_000));
  }
  await page.evaluate(() => scrollTo(0, 0));
  const {width, height} = page.viewportSize();
  const end = await page.evaluate(() => Math.ceil(document.querySelector('main').lastElementChild.getBoundingClientRect().bottom) + 24);
  await page.screenshot({path, clip: {x: 0, y: 0, width, height: Math.min(height, Math.max(end, 400))}});
}

async function keysWork(browser, {url, scene}) {
  const wrongs = [];
  const page = await openPage(browser, LOOKS[0].options, wrongs);
  await page.goto(`${url}#/endpoints`);
  await page.locator('.table tbody tr').first().waitFor();

  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'To the content');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');

  await page.keyboard.press('/');
  await page.keyboard.type(scene.ejected);
  await eventually('the search stands in the address', () => new URL(page.url()).hash.includes(`q=${scene.ejected}`));
  await page.keyboard.press('Escape');
  await page.locator('.table').focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await hasText(page.locator('.inspector h2'), scene.ejected);
  await page.keyboard.press('Escape');
  await page.locator('.inspector').waitFor({state: 'detached'});

  await page.keyboard.press('?');
  await page.locator('dialog[open]').waitFor();
  await page.keyboard.press('Escape');
  await page.locator('dialog[open]').waitFor({state: 'detached'});
  await page.keyboard.press('6');
  await hasText(page.locator('h1'), 'Requests');

  const sort = page.locator('th', {hasText: 'TTFT'});
  assert.equal(await sort.getAttribute('aria-sort'), 'none');
  await sort.locator('button').press('Enter');
  await eventually('it is sorted', async () => await sort.getAttribute('aria-sort') === 'descending');

  await page.keyboard.press('p');
  const first = await page.locator('.table tbody tr').first().innerText();
  await page.locator('button', {hasText: /Go on \([1-9]/}).waitFor();
  assert.equal(await page.locator('.table tbody tr').first().innerText(), first);
  await page.keyboard.press('p');

  await page.keyboard.press('t');
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark');
  await page.reload();
  await page.locator('main h1').waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark');
  assert.deepEqual(wrongs, []);

  await page.locator('.goto input').fill('nobody-knows');
  await page.keyboard.press('Enter');
  await hasText(page.locator('main'), 'none of the last ones');
  assert.match(wrongs.join(), /^response: 404 [^,]*nobody-knows[^,]*$/);
  await page.context().close();
  console.log('ok: keys, filters, order, pause, theme, an unknown request');
}

async function tokenIsAsked(browser) {
  const mock = await startMock({token: 'secret'});
  const wrongs = [];
  const page = await openPage(browser, LOOKS[0].options, wrongs);
  await page.goto(mock.url);
  await page.locator('.token input').fill('wrong');
  await page.keyboard.press('Enter');
  await hasText(page.locator('.token'), 'refused');
  await isAccessible(page, 'token');
  await page.locator('.token input').fill('secret');
  await page.keyboard.press('Enter');
  await hasText(page.locator('.top .feed'), 'live');
  await page.reload();
  await hasText(page.locator('.top .feed'), 'live');
  assert.deepEqual(await page.evaluate(() => [localStorage.length, sessionStorage.length]), [0, 1]);
  assert.deepEqual(wrongs.filter((line) => !line.startsWith('response: 401')), []);
  await page.context().close();
  await mock.close();
  console.log('ok: a token');
}

async function comesBack(browser) {
  const mock = await startMock();
  const page = await openPage(browser, LOOKS[0].options, []);
  await page.goto(mock.url);
  await hasText(page.locator('.top .feed'), 'live');
  const before = mock.readers.size;
  mock.cut();
  await hasText(page.locator('.banner'), 'does not answer');
  await hasText(page.locator('.top .feed'), 'live');
  await eventually('one reader, as before', () => mock.readers.size === before);
  await page.context().close();
  await eventually('none when it is gone', () => mock.readers.size === 0);
  await mock.close();
  console.log('ok: a lost connection');
}

async function thousandsAreFew(browser) {
  const mock = await startMock({endpoints: 4000});
  const wrongs = [];
  const page = await openPage(browser, LOOKS[0].options, wrongs);
  await page.goto(`${mock.url}#/endpoints?sort=pod`);
  const rows = page.locator('.table tbody tr[data-row]');
  await rows.first().waitFor();
  await page.locator('.table').focus();
  await page.keyboard.press('End');
  await page.locator('tr[data-row="3999"] a:focus').waitFor();
  assert.ok(await rows.count() < 100, `${await rows.count()} rows are in the document`);
  await page.keyboard.press('Home');
  await page.locator('tr[data-row="0"] a:focus').waitFor();
  assert.deepEqual(wrongs, []);
  await page.context().close();
  await mock.close();
  console.log('ok: 4,000 endpoints, of which those that are seen are in the document');
}

const started = Date.now();
const subject = await startScene();
const browser = await launch();
try {
  for (const look of LOOKS) await lookAtAll(browser, subject, look);
  await keysWork(browser, subject);
  await tokenIsAsked(browser);
  await comesBack(browser);
  await thousandsAreFew(browser);
  console.log(`all in ${Math.round((Date.now() - started) / 1000)} s`);
} catch (error) {
  console.error(subject.logs());
  console.error(error);
  process.exitCode = 1;
} finally {
  await browser.close();
  await subject.close();
}
