/** Dark or light: as the system has it, until somebody says otherwise. */
const KEY = 'penstock.theme';
let version = 0;

export function theme() {
  const chosen = document.documentElement.dataset.theme;
  return chosen || (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
}

/** Is another after each change: who draws with colours draws anew. */
export const themeVersion = () => version;

export function startTheme(onChange) {
  const kept = localStorage.getItem(KEY);
  if (kept === 'dark' || kept === 'light') document.documentElement.dataset.theme = kept;
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    ++version;
    onChange();
  });
}

/** The other one. What the system has anyway is not kept. */
export function toggleTheme(onChange) {
  const next = theme() === 'dark' ? 'light' : 'dark';
  const system = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  if (next === system) {
    delete document.documentElement.dataset.theme;
    localStorage.removeItem(KEY);
  } else {
    document.documentElement.dataset.theme = next;
    localStorage.setItem(KEY, next);
  }
  ++version;
  onChange();
}

/** A colour of the style sheet as canvases want it. */
export function color(name) {
  const probe = document.createElement('span');
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}
