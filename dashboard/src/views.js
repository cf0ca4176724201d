/** The views, in the order of the menu. */
export const VIEWS = [
  {path: 'overview', name: 'Overview'},
  {path: 'endpoints', name: 'Endpoints'},
  {path: 'queue', name: 'Queue'},
  {path: 'releases', name: 'Releases'},
  {path: 'objects', name: 'Routes & conditions'},
  {path: 'requests', name: 'Requests'},
  {path: 'configuration', name: 'Configuration'},
];
