/** Which screen is shown. It lives in the address (`#/run/<id>/live`), so that reload, back and forward work. */
import type { Tree } from './tree.ts';

export const RUN_TABS = ['live', 'switch', 'layers', 'what-if', 'evaluate', 'export', 'config'] as const;
export type RunTab = (typeof RUN_TABS)[number];

export const TAB_TITLES: Record<RunTab, string> = {
  live: 'Live',
  switch: 'Switch',
  layers: 'Layers',
  'what-if': 'What-if',
  evaluate: 'Evaluate',
  export: 'Export',
  config: 'Config',
};

export type Route =
  | { screen: 'runs' }
  | { screen: 'new' }
  | { screen: 'compare'; runs: string[] }
  | { screen: 'queue' }
  | { screen: 'settings' }
  /** Snapshots that lie anywhere; none are opened yet while the path is empty. */
  | { screen: 'what-if'; file: string }
  | { screen: 'run'; runId: string; tab: RunTab };

export function parseRoute(hash: string): Route {
  const [screen, first, second] = hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent);
  if (screen === 'new' || screen === 'queue' || screen === 'settings') return { screen };
  if (screen === 'compare') return { screen, runs: first ? first.split(',') : [] };
  if (screen === 'what-if') return { screen, file: first ?? '' };
  if (screen === 'run' && first) return { screen, runId: first, tab: RUN_TABS.find((tab) => tab === second) ?? 'live' };
  return { screen: 'runs' };
}

export function formatRoute(route: Route): string {
  if (route.screen === 'run') return `#/run/${encodeURIComponent(route.runId)}/${route.tab}`;
  if (route.screen === 'compare') return `#/compare/${route.runs.map(encodeURIComponent).join(',')}`;
  if (route.screen === 'what-if') return `#/what-if/${encodeURIComponent(route.file)}`;
  return `#/${route.screen}`;
}

export class Navigation {
  #route = $state.raw<Route>({ screen: 'runs' });
  #handedOver: Tree | null = null;

  /** Follows the address until the given function is called. */
  start(): () => void {
    const read = (): void => {
      this.#route = parseRoute(window.location.hash);
    };
    read();
    window.addEventListener('hashchange', read);
    return () => window.removeEventListener('hashchange', read);
  }

  get route(): Route {
    return this.#route;
  }

  go(route: Route): void {
    window.location.hash = formatRoute(route);
  }

  openRun(runId: string, tab: RunTab = 'live'): void {
    this.go({ screen: 'run', runId, tab });
  }
  /** Opens New run with these settings in its form, under a name that is still to be given. */
  newRunLike(settings: Tree): void {
    this.#handedOver = { ...settings, name: '' };
    this.go({ screen: 'new' });
  }

  /** What `newRunLike` was given, once. */
  takeHandedOver(): Tree | null {
    const settings = this.#handedOver;
    this.#handedOver = null;
    return settings;
  }
}
