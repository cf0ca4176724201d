/**
 * A table whose head sorts, whose rows are links, and of which only what is seen is in the document:
 * thousands of rows cost as much as fifty.
 *
 * Keys: with the focus on the table or a row, the arrows, Home, End and the page keys go from row to
 * row; Enter opens.
 */
import {useEffect, useLayoutEffect, useRef, useState} from 'preact/hooks';

import {nextSort, parseSort} from '../address.js';
import {address, setQuery} from '../app.js';
import {sorted} from '../rows.js';

const ROW_PX = 30; // as the style sheet has it
const BEYOND = 5; // rows above and below what is seen
const WHOLE_MAX = 60; // up to as many rows all are in the document

/**
 * @typedef {object} Column
 * @property {string} key
 * @property {string} label
 * @property {number} width in em
 * @property {boolean=} number right-aligned, and sorted from the greatest on
 * @property {(row: object) => any=} value what it is sorted by; the row's member of that name
 * @property {(row: object) => any=} cell what is shown
 * @property {(row: object) => string=} title
 * @property {string=} hint what the head says under the pointer
 * @property {boolean=} grows takes what width is left
 */

/** Rows in the order that the address asks for. */
export function inOrder(rows, columns, standard, name = 'sort') {
  const {key, down} = parseSort(address().query[name], standard);
  const column = columns.find((each) => each.key === key);
  if (!column) return rows;
  return sorted(rows, column.value ?? ((row) => row[key]), down);
}

/**
 * @param {{label: string, columns: Column[], rows: object[], standard?: string, sortName?: string, hrefOf?: (row: object) => string,
 *     keyOf?: (row: object) => string, selected?: string, empty?: any, tall?: boolean}} props `rows` are in order
 */
export function Table({label, columns, rows, standard = '', sortName = 'sort', hrefOf, keyOf = (row) => row.key, selected, empty, tall}) {
  const box = useRef(null);
  const focusWanted = useRef(-1);
  const [seen, setSeen] = useState({first: 0, count: 60});
  const [active, setActive] = useState(0);
  const isVirtual = rows.length > WHOLE_MAX;
  const sort = parseSort(address().query[sortName], standard);

  const look = () => {
    const element = box.current;
    if (!element || !isVirtual) return;
    const first = Math.max(0, Math.floor(element.scrollTop / ROW_PX) - BEYOND);
    const count = Math.ceil(element.clientHeight / ROW_PX) + 2 * BEYOND;
    setSeen((old) => (old.first === first && old.count === count ? old : {first, count}));
  };
  useLayoutEffect(look, [isVirtual, rows.length]);
  useEffect(() => {
    if (!isVirtual) return undefined;
    const observer = new ResizeObserver(look);
    observer.observe(box.current);
    return () => observer.disconnect();
  }, [isVirtual]);
  useLayoutEffect(() => {
    if (focusWanted.current < 0) return;
    const link = box.current.querySelector(`[data-row="${focusWanted.current}"] a`);
    if (!link) return;
    focusWanted.current = -1;
    link.focus({preventScroll: isVirtual});
  });

  const first = isVirtual ? Math.min(seen.first, Math.max(0, rows.length - seen.count)) : 0;
  const shown = isVirtual ? rows.slice(first, first + seen.count) : rows;
  const stop = Math.min(active, rows.length - 1); // the row that the tab key comes to
  const stopSeen = stop >= first && stop < first + shown.length ? stop : first;

  function onKeyDown(event) {
    const at = event.target.closest('[data-row]');
    if (!at && event.target !== box.current) return;
    const page = Math.max(1, Math.floor(box.current.clientHeight / ROW_PX) - 2);
    const from = at ? Number(at.dataset.row) : stopSeen - 1;
    const to = {ArrowDown: from + 1, ArrowUp: from - 1, PageDown: from + page, PageUp: from - page, Home: 0, End: rows.length - 1}[event.key];
    if (to === undefined || rows.length === 0 || !hrefOf) return;
    event.preventDefault();
    const row = Math.max(0, Math.min(rows.length - 1, to));
    focusWanted.current = row;
    if (isVirtual) {
      const {scrollTop, clientHeight} = box.current;
      if (row * ROW_PX < scrollTop) box.current.scrollTop = row * ROW_PX;
      else if ((row + 2) * ROW_PX > scrollTop + clientHeight) box.current.scrollTop = (row + 2) * ROW_PX - clientHeight;
      look();
    }
    setActive(row);
    if (row === active) setSeen((old) => ({...old}));
  }

  const width = columns.reduce((sum, column) => sum + column.width, 0);
  return (
    <div class={`table ${isVirtual ? 'virtual' : ''} ${tall ? 'tall' : ''}`} ref={box} tabIndex={0} role="region" aria-label={label} onKeyDown={onKeyDown}
      onScroll={isVirtual ? look : undefined}>
      <table aria-rowcount={rows.length + 1} style={{minWidth: `${width}em`}}>
        <caption class="sr">{label}</caption>
        <colgroup>{columns.map((column) => <col key={column.key} style={{width: column.grows ? 'auto' : `${column.width}em`}} />)}</colgroup>
        <thead>
          <tr aria-rowindex={1}>{columns.map((column) => <Head key={column.key} column={column} sort={sort} sortName={sortName} canSort={standard !== ''} />)}</tr>
        </thead>
        <tbody>
          {first > 0 && <tr aria-hidden="true" class="space"><td colSpan={columns.length} style={{height: `${first * ROW_PX}px`}} /></tr>}
          {shown.map((row, i) => (
            <Row key={keyOf(row)} row={row} index={first + i} columns={columns} hrefOf={hrefOf} isStop={first + i === stopSeen}
              isSelected={selected !== undefined && selected === keyOf(row)} onFocus={setActive} />
          ))}
          {isVirtual && <tr aria-hidden="true" class="space"><td colSpan={columns.length}
            style={{height: `${Math.max(0, rows.length - first - shown.length) * ROW_PX}px`}} /></tr>}
        </tbody>
      </table>
      {rows.length === 0 && <p class="empty">{empty ?? 'Nothing.'}</p>}
    </div>
  );
}

function Head({column, sort, sortName, canSort}) {
  const isKey = canSort && sort.key === column.key;
  const mark = isKey ? (sort.down ? '↓' : '↑') : '';
  return (
    <th scope="col" class={column.number ? 'number' : ''} title={column.hint} aria-sort={!canSort ? undefined : isKey ? (sort.down ? 'descending' : 'ascending') : 'none'}>
      {canSort ? <button type="button" onClick={() => setQuery({[sortName]: nextSort(sort, column.key, column.number)}, true)}>{column.label}{mark && <span class="mark" aria-hidden="true">{mark}</span>}</button> : column.label}
    </th>
  );
}

function Row({row, index, columns, hrefOf, isStop, isSelected, onFocus}) {
  const href = hrefOf?.(row);
  const onClick = href && ((event) => {
    if (event.target.closest('a, button') || String(getSelection())) return;
    location.hash = href;
  });
  return (
    <tr data-row={index} aria-rowindex={index + 2} class={`${isSelected ? 'selected' : ''} ${href ? 'link' : ''}`} onClick={onClick}>
      {columns.map((column, i) => {
        const content = column.cell ? column.cell(row) : row[column.key] ?? '–';
        const title = column.title?.(row) ?? (typeof content === 'string' && content.length > 12 ? content : undefined);
        const Cell = i === 0 ? 'th' : 'td';
        return (
          <Cell key={column.key} scope={i === 0 ? 'row' : undefined} class={column.number ? 'number' : ''} title={title}>
            {i === 0 && href ? <a href={href} tabIndex={isStop ? 0 : -1} aria-current={isSelected ? 'true' : undefined} onFocus={() => onFocus(index)}>{content}</a> : content}
          </Cell>
        );
      })}
    </tr>
  );
}
