/** The augmentation preview of New run: asked for when it is looked at, and again when the recipe or the image changes. */
import type { AugmentPreview } from '../../main/protocol/results.ts';
import { type Api, errorText } from '../api.ts';

export class Augmentation {
  #preview = $state.raw<AugmentPreview | null>(null);
  #busy = $state(false);
  #problem = $state('');
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  get preview(): AugmentPreview | null {
    return this.#preview;
  }
  get busy(): boolean {
    return this.#busy;
  }
  get problem(): string {
    return this.#problem;
  }

  async show(config: unknown, sample: number): Promise<void> {
    this.#busy = true;
    this.#problem = '';
    try {
      this.#preview = await this.#api.request('data:augment', { config, sample });
    } catch (error) {
      this.#preview = null;
      this.#problem = errorText(error);
    }
    this.#busy = false;
  }
}
