/** Chromium from the Debian package, with a profile of its own that goes with it. */
import {chromium} from 'playwright-core';

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--hide-scrollbars'];

export const launch = () => chromium.launch({executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: FLAGS});

/** A page that keeps what went wrong in it: console errors, failed requests, violations of the CSP. */
export async function openPage(browser, options, wrongs) {
  const context = await browser.newContext({reducedMotion: 'reduce', ...options});
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.on('console', (message) => {
    // Chromium's own line of an answer that is no 2xx: tests that ask for one look at it themselves.
    if (['error', 'warning'].includes(message.type()) && !message.text().startsWith('Failed to load resource')) wrongs.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => wrongs.push(`error: ${error.stack}`));
  page.on('requestfailed', (request) => {
    // The feed ends with the page, and a page that is left asks no more.
    if (request.failure()?.errorText !== 'net::ERR_ABORTED') wrongs.push(`request: ${request.url()} ${request.failure()?.errorText}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400) wrongs.push(`response: ${response.status()} ${response.url()}`);
  });
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
  });
  return page;
}
