/**
 * The page of dist/ before the admin port of any gateway: for looking at a page that is not in its
 * binary yet.
 *
 *   node test/page.mjs http://127.0.0.1:9909 [PORT]
 */
import {readFile} from 'node:fs/promises';
import {createServer, request} from 'node:http';
import {extname, join, normalize} from 'node:path';
import {fileURLToPath} from 'node:url';

const DIST = process.env.DASHBOARD_OUT || fileURLToPath(new URL('../dist', import.meta.url));
const TYPES = {'.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.txt': 'text/plain; charset=utf-8'};
/** As the gateway sends it. */
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export async function answerFile(path, response) {
  try {
    const file = join(DIST, normalize(path === '/' ? '/index.html' : path));
    const body = await readFile(file);
    response.writeHead(200, {'content-type': TYPES[extname(file)] ?? 'application/octet-stream', 'content-security-policy': CSP,
      'x-content-type-options': 'nosniff', 'cache-control': 'no-cache'});
    response.end(body);
  } catch {
    response.writeHead(404).end('not found\n');
  }
}

const ASKED = new Set(['/feed', '/explain', '/configuration', '/releases', '/get']);

/** @return {Promise<{url: string, close: () => void}>} */
export async function startPage(admin, port = 0) {
  const server = createServer((asked, response) => {
    const {pathname} = new URL(asked.url, admin);
    if (!ASKED.has(pathname)) {
      answerFile(pathname, response);
      return;
    }
    const onward = request(new URL(asked.url, admin), {method: asked.method, headers: asked.headers}, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    asked.pipe(onward);
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {url: `http://127.0.0.1:${server.address().port}/`, close() {
    server.closeAllConnections();
    server.close();
  }};
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(`${process.argv[2]} as seen at ${(await startPage(process.argv[2], Number(process.argv[3] ?? 0))).url}`);
}
