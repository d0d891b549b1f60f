/** A study being put together: which variants, which random seeds; the engine lists the runs and their time after every change. */
import type { ResultOf } from '../../main/protocol/requests.ts';
import { NAMED_VARIANTS, type NamedVariant, type VariantName } from '../../main/protocol/study.ts';
import { type Api, errorText } from '../api.ts';
import type { QueueOrder } from './queue.svelte.ts';

const PLAN_AFTER_MS = 150;

export interface VariantChoice extends NamedVariant {
  name: VariantName;
  isChosen: boolean;
  /** What follows the @, for a variant that takes a value. */
  number: number | null;
}

export class Study {
  #choices = $state.raw<readonly VariantChoice[]>(
    Object.entries<NamedVariant>(NAMED_VARIANTS).map(([name, variant]) => ({
      ...variant,
      name: name as VariantName,
      isChosen: name === 'prelora' || name === 'full',
      number: null,
    })),
  );
  #name = $state('');
  #seeds = $state('0, 1, 2');
  #field = $state('');
  #values = $state('');
  #plan = $state.raw<ResultOf<'study:plan'> | null>(null);
  #problem = $state('');
  #timer: ReturnType<typeof setTimeout> | null = null;
  #asked = 0;
  readonly #api: Api;
  readonly #config: unknown;

  constructor(api: Api, config: unknown, name: string) {
    this.#api = api;
    this.#config = config;
    this.#name = name;
    this.#later();
  }

  get choices(): readonly VariantChoice[] {
    return this.#choices;
  }
  get name(): string {
    return this.#name;
  }
  set name(name: string) {
    this.#name = name;
    this.#later();
  }
  /** As typed: `0, 1, 2` or `0-4`. */
  get seeds(): string {
    return this.#seeds;
  }
  set seeds(seeds: string) {
    this.#seeds = seeds;
    this.#later();
  }
  /** A config field to vary, beside the named variants; empty for none. */
  get field(): string {
    return this.#field;
  }
  set field(field: string) {
    this.#field = field;
    this.#later();
  }
  /** Its values as typed, separated by spaces or semicolons. */
  get values(): string {
    return this.#values;
  }
  set values(values: string) {
    this.#values = values;
    this.#later();
  }
  get plan(): ResultOf<'study:plan'> | null {
    return this.#plan;
  }
  get problem(): string {
    return this.#problem;
  }

  choose(name: VariantName, change: Partial<Pick<VariantChoice, 'isChosen' | 'number'>>): void {
    this.#choices = this.#choices.map((choice) => (choice.name === name ? { ...choice, ...change } : choice));
    this.#later();
  }

  /** What goes into the queue; null while the plan does not stand. */
  get orders(): QueueOrder[] | null {
    if (this.#problem !== '' || !this.#plan) return null;
    return this.#plan.runs.map(({ config, study, variant, seed }) => ({ config, study: { study, variant, seed } }));
  }

  /** In the notation of the command line. */
  get variants(): string[] {
    const named = this.#choices
      .filter(({ isChosen }) => isChosen)
      .map(({ name, number }) => (number === null ? name : `${name}@${number}`));
    const values = this.#values.split(/[;\s]+/).filter(Boolean);
    return [...named, ...(this.#field === '' ? [] : values.map((value) => `${this.#field}=${value}`))];
  }

  #later(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#compute(), PLAN_AFTER_MS);
  }

  async #compute(): Promise<void> {
    const asked = ++this.#asked;
    try {
      const seeds = parseSeeds(this.#seeds);
      if (seeds === null) throw new Error(`seeds ${this.#seeds}: must look like 0, 1, 2 or 0-4`);
      if (this.variants.length === 0) throw new Error('variants: choose at least one');
      const plan = await this.#api.request('study:plan', {
        config: this.#config,
        study: this.#name.trim(),
        variants: this.variants,
        seeds,
      });
      if (asked !== this.#asked) return;
      this.#plan = plan;
      this.#problem = '';
    } catch (error) {
      if (asked === this.#asked) this.#problem = errorText(error);
    }
  }
}

/** `0, 1, 2` or `0-4` as numbers; null when it is neither. */
function parseSeeds(text: string): number[] | null {
  const parts = text.split(',').map((part) => /^\s*(\d{1,9})(?:\s*-\s*(\d{1,9}))?\s*$/.exec(part));
  const seeds: number[] = [];
  for (const match of parts) {
    if (!match) return null;
    const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])];
    if (last < first || last - first >= 100) return null;
    for (let seed = first; seed <= last; seed++) seeds.push(seed);
  }
  return seeds;
}
