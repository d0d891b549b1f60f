/** What lies above the screens: palette, shortcut list, report of a fault; and what the screens on show add to them while they are there. */
import { createContext } from 'svelte';
import type { Command } from './commands.ts';

/** What a screen lends to the whole window. */
export interface Provided {
  commands?: readonly Command[];
  /** Commands read out of what is typed, such as "τ 0.8". */
  typed?: (text: string) => Command[];
  /** Takes back the newest thing; false when there is none. */
  undo?: () => boolean;
}

export class Overlays {
  palette = $state(false);
  shortcuts = $state(false);
  /** Set while a report is on show; of which run, or of the program alone. */
  diagnostics = $state.raw<{ runId: string | null } | null>(null);
  #provided = $state.raw<readonly Provided[]>([]);

  get screenCommands(): readonly Command[] {
    return this.#provided.flatMap(({ commands = [] }) => commands);
  }

  typed(text: string): Command[] {
    return this.#provided.flatMap(({ typed }) => typed?.(text) ?? []);
  }

  undo(): boolean {
    return this.#provided.some(({ undo }) => undo?.() === true);
  }

  /** Until the function that is given back is called: an effect of the screen provides, its clean-up withdraws. */
  provide(provided: Provided): () => void {
    this.#provided = [...this.#provided, provided];
    return () => {
      this.#provided = this.#provided.filter((one) => one !== provided);
    };
  }
}

export const [getOverlays, setOverlays] = createContext<Overlays>();
