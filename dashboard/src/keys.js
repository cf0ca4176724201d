/** Keys of the whole page. None acts while somebody types, or with a modifier. */
import {go, setQuery, address} from './app.js';
import {VIEWS} from './views.js';

export const KEYS = [
  ['1 … 7', 'the views, in the order of the menu'],
  ['/', 'search'],
  ['↑ ↓ Home End', 'rows of a table, when one of them or the table has the focus'],
  ['Enter', 'opens the row'],
  ['Esc', 'leaves the search, closes what is open'],
  ['p', 'pauses the list of requests'],
  ['t', 'dark or light'],
  ['?', 'this list'],
];

/** @param {{help: () => void, theme: () => void, pause: () => void}} actions */
export function startKeys(actions) {
  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const typing = event.target.matches?.('input, textarea, select');
    if (event.key === 'Escape') {
      if (document.querySelector('dialog[open]')) return;
      if (typing) event.target.blur();
      else if (address().query.sel) setQuery({sel: null});
      return;
    }
    if (typing) return;
    const view = VIEWS[Number(event.key) - 1];
    if (view) go({path: [view.path]});
    else if (event.key === '/') {
      const search = document.querySelector('input[type=search]');
      if (!search) return;
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === '?') actions.help();
    else if (event.key === 't') actions.theme();
    else if (event.key === 'p') actions.pause();
  });
}
