/**
 * What the page costs with thousands of endpoints that all change twice a second, by views: the
 * processor time of its main thread, which other work on the machine hardly changes, and what it
 * holds.
 *
 *   node test/bench.mjs [ENDPOINTS] [CHANGES]
 */
import {launch, openPage} from './chromium.mjs';
import {startMock} from './mock.mjs';

const [endpoints = 4000, count = 40] = process.argv.slice(2).map(Number);
const mock = await startMock({endpoints});
const browser = await launch();
const page = await openPage(browser, {viewport: {width: 1280, height: 860}}, []);
const devtools = await page.context().newCDPSession(page);

/** Processor time of the page's main thread by what it went to, and the number of changes so far. */
async function spent() {
  const {metrics} = await devtools.send('Performance.getMetrics');
  const of = (name) => metrics.find((each) => each.name === name).value * 1000;
  const style = of('RecalcStyleDuration') + of('LayoutDuration');
  return {script: of('ScriptDuration'), 'style and layout': style, all: of('TaskDuration'), changes: await page.evaluate(() => penstock.store.version)};
}

async function held() {
  await devtools.send('HeapProfiler.collectGarbage');
  const {usedSize} = await devtools.send('Runtime.getHeapUsage');
  return `${(usedSize / 1e6).toFixed(1)} MB of heap, ${await page.evaluate(() => document.getElementsByTagName('*').length)} elements`;
}

console.log(`${endpoints} endpoints, all of which change; ms of processor time of the main thread for each change`);
await devtools.send('Performance.enable', {timeDomain: 'threadTicks'});
await page.goto(`${mock.url}#/endpoints`);
await page.locator('.table tbody tr').first().waitFor();
const changes = (count) => page.waitForFunction((version) => penstock.store.version >= version, count, {timeout: 120_000});
for (const hash of ['#/endpoints', '#/endpoints?sort=-kv_cache_utilization_ratio', '#/endpoints?sort=pod&q=qwen', '#/overview', '#/requests']) {
  await page.evaluate((to) => {
    location.hash = to;
  }, hash);
  await changes((await spent()).changes + 4);
  const before = await spent();
  await changes(before.changes + count);
  const after = await spent();
  const each = (name) => ((after[name] - before[name]) / (after.changes - before.changes)).toFixed(1);
  console.log(`${hash.padEnd(46)} script ${each('script').padStart(5)}, style and layout ${each('style and layout').padStart(5)}, all ${each('all').padStart(5)}; ${await held()}`);
}
await browser.close();
await mock.close();
