/** What is known of the one thing that is selected, beside the table; Esc closes it. */
import {withQuery} from '../app.js';

export function Inspector({title, children}) {
  return (
    <aside class="inspector" aria-label={title}>
      <header><h2>{title}</h2><a class="button" href={withQuery({sel: null})} aria-label="Close">✕</a></header>
      {children}
    </aside>
  );
}
