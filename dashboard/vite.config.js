import {defineConfig} from 'vite';

// Addresses are relative, so that the page also works behind a proxy that adds a path, such as
// `kubectl proxy`. Names have hashes: a browser never mixes two versions.
export default defineConfig({
  base: './',
  oxc: {jsx: {runtime: 'automatic', importSource: 'preact'}},
  build: {
    outDir: process.env.DASHBOARD_OUT || 'dist',
    emptyOutDir: true,
    target: 'es2022',
    cssTarget: 'chrome125',
    modulePreload: {polyfill: false},
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  server: {
    // `npm run dev` beside `npm run mock`, or a gateway.
    proxy: Object.fromEntries(
      ['/feed', '/explain', '/configuration', '/releases'].map((path) => [
        path, process.env.DASHBOARD_ADMIN || 'http://127.0.0.1:9909']),
    ),
  },
});
