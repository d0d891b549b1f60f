/** Whether the machine runs on battery, as the desktop shell tells; in browser mode nobody does, and it counts as plugged in. */
import type { Api } from '../api.ts';

export class Power {
  #onBattery = $state(false);
  #isDismissed = $state(false);
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  /** Follows. Gives back an unsubscribe. */
  start(): () => void {
    return this.#api.on('power:changed', ({ onBattery }) => this.#set(onBattery));
  }

  /** Asks the shell, where there is one. */
  async load(): Promise<void> {
    const source = await this.#api.request('shell:power', {}).catch(() => null);
    if (source) this.#set(source.onBattery);
  }

  get onBattery(): boolean {
    return this.#onBattery;
  }

  /** Once per stay on battery, until it is read. */
  get isWarning(): boolean {
    return this.#onBattery && !this.#isDismissed;
  }

  dismiss(): void {
    this.#isDismissed = true;
  }

  #set(onBattery: boolean): void {
    if (!onBattery) this.#isDismissed = false;
    this.#onBattery = onBattery;
  }
}
