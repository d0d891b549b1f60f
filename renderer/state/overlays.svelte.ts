/** What lies above the screens: palette and shortcut list; and the commands that the screen on show adds to both. */
import { createContext } from 'svelte';
import type { Command } from './commands.ts';

export class Overlays {
  palette = $state(false);
  shortcuts = $state(false);
  #screenCommands = $state.raw<readonly Command[]>([]);

  get screenCommands(): readonly Command[] {
    return this.#screenCommands;
  }

  /** The commands of the screen on show; an effect of the screen sets and clears them. */
  setScreenCommands(commands: readonly Command[]): void {
    this.#screenCommands = commands;
  }
}

export const [getOverlays, setOverlays] = createContext<Overlays>();
