/** What the user likes, kept in this browser or profile: appearance, keys, table columns. Never anything about a run. */
export type ThemeChoice = 'system' | 'light' | 'dark' | 'contrast';
export type Theme = Exclude<ThemeChoice, 'system'>;
export type Density = 'compact' | 'regular' | 'roomy';

interface Stored {
  theme: ThemeChoice;
  density: Density;
  fontScale: number;
  reducedMotion: boolean;
  singleKeys: boolean;
  hiddenColumns: string[];
  sampleBannerSeen: boolean;
  /** Curves of the loss panel drawn on demand. */
  curves: string[];
  /** Shortcuts that were changed, by the command's id. */
  keys: Record<string, string>;
}

const DEFAULTS: Stored = {
  theme: 'system',
  density: 'regular',
  fontScale: 100,
  reducedMotion: false,
  singleKeys: true,
  hiddenColumns: [],
  sampleBannerSeen: false,
  curves: [],
  keys: {},
};
const KEY = 'prelora.preferences';

/** The part of Storage that is used, so that tests can hand in a map. */
export type KeyValueStore = Pick<Storage, 'getItem' | 'setItem'>;

export class Preferences {
  #stored = $state.raw<Stored>(DEFAULTS);
  #system = $state<Theme>('light');
  #forced = $state<Theme | null>(null);
  readonly #store: KeyValueStore;

  constructor(store: KeyValueStore) {
    this.#store = store;
    this.#stored = { ...DEFAULTS, ...parse(store.getItem(KEY)) };
  }

  get<K extends keyof Stored>(name: K): Stored[K] {
    return this.#stored[name];
  }

  set<K extends keyof Stored>(name: K, value: Stored[K]): void {
    this.#stored = { ...this.#stored, [name]: value };
    this.#store.setItem(KEY, JSON.stringify(this.#stored));
  }

  /** The theme in force, with "system" resolved. */
  get theme(): Theme {
    if (this.#forced) return this.#forced;
    return this.#stored.theme === 'system' ? this.#system : this.#stored.theme;
  }

  /** The theme that forced colours leave room for; null while there are none. */
  setForcedTheme(theme: Theme | null): void {
    this.#forced = theme;
  }

  /** Told by App.svelte when the system's scheme changes. */
  setSystemTheme(theme: Theme): void {
    this.#system = theme;
  }
}

function parse(text: string | null): Partial<Stored> {
  if (text === null) return {};
  try {
    return JSON.parse(text) as Partial<Stored>;
  } catch {
    return {};
  }
}
