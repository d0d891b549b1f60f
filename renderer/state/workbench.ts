/** Everything the screens share, made once in main.ts and handed down by a typed context. */
import { createContext } from 'svelte';
import type { Api } from '../api.ts';
import { AppFacts } from './appFacts.svelte.ts';
import { BundleImport } from './bundleImport.svelte.ts';
import { Navigation } from './navigation.svelte.ts';
import { Notices } from './notices.svelte.ts';
import { Power } from './power.svelte.ts';
import { type KeyValueStore, Preferences } from './preferences.svelte.ts';
import { Queue } from './queue.svelte.ts';
import { Runs } from './runs.svelte.ts';

export interface Workbench {
  api: Api;
  bundles: BundleImport;
  facts: AppFacts;
  navigation: Navigation;
  notices: Notices;
  power: Power;
  preferences: Preferences;
  queue: Queue;
  runs: Runs;
}

export function createWorkbench(api: Api, store: KeyValueStore): Workbench {
  const notices = new Notices();
  return {
    api,
    notices,
    bundles: new BundleImport(api, notices),
    facts: new AppFacts(api, notices),
    navigation: new Navigation(),
    power: new Power(api),
    preferences: new Preferences(store),
    queue: new Queue(api, notices),
    runs: new Runs(api, notices),
  };
}

export const [getWorkbench, setWorkbench] = createContext<Workbench>();
