/** Everything that can be done from anywhere, by name: the palette lists it, keys trigger it, the desktop menu sends its id. */
import { RUN_TABS, TAB_TITLES } from './navigation.svelte.ts';
import type { Overlays } from './overlays.svelte.ts';
import type { Workbench } from './workbench.ts';

export interface Command {
  id: string;
  title: string;
  /** `Mod+K`; Mod is Ctrl, or Cmd on a Mac. */
  keys?: string;
  /** Shown beside it: a key that works elsewhere. */
  hint?: string;
  /** Set where it cannot be done now: why. */
  reason?: string;
  run: () => void;
}

/** Does the key press fit `Mod+Shift+P`, `Mod+,` or a plain `.`? */
export function matchesKeys(event: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'shiftKey' | 'altKey'>, keys: string): boolean {
  const parts = keys.split('+');
  const key = parts.at(-1) as string;
  const mod = parts.includes('Mod');
  const shift = parts.includes('Shift');
  if (mod !== (event.ctrlKey || event.metaKey) || event.altKey) return false;
  // A shifted sign such as ? is what the key press already names.
  if (key.length === 1 && /\W/.test(key)) return event.key === key;
  return event.key.toLowerCase() === key.toLowerCase() && event.shiftKey === shift;
}

export function globalCommands(workbench: Workbench, overlays: Overlays): Command[] {
  const { navigation, preferences, queue, runs } = workbench;
  const { route } = navigation;
  const undoable = workbench.notices.newestUndo;
  const commands: Command[] = [
    { id: 'palette', title: 'Find an action', keys: 'Mod+K', run: () => (overlays.palette = true) },
    { id: 'palette-2', title: 'Find an action', keys: 'Mod+Shift+P', run: () => (overlays.palette = true) },
    { id: 'shortcuts', title: 'Show keyboard shortcuts', keys: 'Mod+?', run: () => (overlays.shortcuts = true) },
    {
      id: 'undo',
      title: undoable ? `Undo: ${undoable.text}` : 'Undo',
      keys: 'Mod+Z',
      run: () => void (workbench.notices.undoNewest() || overlays.undo()),
    },
    { id: 'filter', title: 'Filter this screen', keys: 'Mod+F', run: focusFilter },
    { id: 'new-run', title: 'New run', keys: 'Mod+N', run: () => navigation.go({ screen: 'new' }) },
    { id: 'import', title: 'Import a run bundle…', run: () => void workbench.bundles.choose(workbench.facts.facts?.host) },
    { id: 'runs', title: 'Go to Runs', run: () => navigation.go({ screen: 'runs' }) },
    { id: 'compare', title: 'Go to Compare', run: () => navigation.go({ screen: 'compare', runs: [...runs.selected] }) },
    { id: 'queue', title: 'Go to Queue', run: () => navigation.go({ screen: 'queue' }) },
    {
      id: 'queue-pause',
      title: queue.all?.paused ? 'Go on with the queue' : 'Pause the queue',
      run: () => void queue.setPaused(!queue.all?.paused),
    },
    { id: 'what-if-file', title: 'What-if: open a snapshots file', run: () => navigation.go({ screen: 'what-if', file: '' }) },
    { id: 'settings', title: 'Go to Settings', keys: 'Mod+,', run: () => navigation.go({ screen: 'settings' }) },
    {
      id: 'diagnostics',
      title: 'Diagnostics: a report to send along',
      run: () => (overlays.diagnostics = { runId: route.screen === 'run' ? route.runId : null }),
    },
    { id: 'theme-light', title: 'Appearance: light', run: () => preferences.set('theme', 'light') },
    { id: 'theme-dark', title: 'Appearance: dark', run: () => preferences.set('theme', 'dark') },
    { id: 'theme-contrast', title: 'Appearance: high contrast', run: () => preferences.set('theme', 'contrast') },
    { id: 'theme-system', title: 'Appearance: follow the system', run: () => preferences.set('theme', 'system') },
  ];
  if (route.screen === 'run') {
    RUN_TABS.forEach((tab, index) => {
      commands.push({
        id: `tab-${tab}`,
        title: `Go to ${TAB_TITLES[tab]}`,
        keys: `Mod+${index + 1}`,
        run: () => navigation.openRun(route.runId, tab),
      });
    });
    commands.push({ id: 'export', title: 'Go to Export', keys: 'Mod+E', run: () => navigation.openRun(route.runId, 'export') });
  }
  for (const { runId, status } of runs.all.slice(0, 200)) {
    commands.push({ id: `open-${runId}`, title: `Open run ${status.name}`, run: () => navigation.openRun(runId) });
  }
  const keys = preferences.get('keys');
  return [
    ...commands.map((command) => ({ ...command, ...(command.id in keys && { keys: keys[command.id] }) })),
    ...overlays.screenCommands,
  ];
}

/** Every screen that filters has one search field. */
function focusFilter(): void {
  document.querySelector<HTMLInputElement>('main input[type="search"]')?.focus();
}

/** How a key press is written in a shortcut; null for a modifier alone. */
export function keysOf(event: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'shiftKey' | 'altKey'>): string | null {
  if (['Control', 'Meta', 'Shift', 'Alt'].includes(event.key) || event.altKey) return null;
  const isSign = event.key.length === 1 && /\W/.test(event.key);
  const key = event.key.length === 1 ? event.key.toUpperCase() : event.key;
  return [...(event.ctrlKey || event.metaKey ? ['Mod'] : []), ...(event.shiftKey && !isSign ? ['Shift'] : []), key].join('+');
}

/**
 * How well a title fits a search: every letter in order; consecutive letters and word starts count more. Null when it does not fit.
 */
export function fuzzyScore(title: string, search: string): number | null {
  const text = title.toLowerCase();
  let score = 0;
  let at = -1;
  for (const letter of search.toLowerCase().replace(/\s+/g, '')) {
    const found = text.indexOf(letter, at + 1);
    if (found < 0) return null;
    score += found === at + 1 ? 3 : /\W/.test(text[found - 1] ?? ' ') ? 2 : 0;
    at = found;
  }
  return score - text.length / 100;
}
