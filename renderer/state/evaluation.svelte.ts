/** Evaluation of a checkpoint and trying an image: both are served between steps, so that training waits and its losses stay the same. */
import type { ResultOf } from '../../main/protocol/requests.ts';
import type { AnsweredImage, Prediction } from '../../main/protocol/results.ts';
import { type Api, errorText } from '../api.ts';

export type EvaluationResult = ResultOf<'evaluate'>;
export type CheckpointChoice = 'last' | 'best' | number;

/** What a select holds, as the contract wants it. */
export function checkpointOf(choice: string): CheckpointChoice {
  return choice === 'best' || choice === 'last' ? choice : Number(choice);
}

export interface ClassRow {
  name: string;
  count: number;
  recall: number | null;
  precision: number | null;
  f1: number | null;
}

export class Evaluation {
  #result = $state.raw<{ choice: CheckpointChoice; value: EvaluationResult; seconds: number } | null>(null);
  #beside = $state.raw<EvaluationResult | null>(null);
  #busy = $state(false);
  #problem = $state('');
  #prediction = $state.raw<Prediction | null>(null);
  #predicting = $state(false);
  #predictProblem = $state('');
  #pictures = $state.raw<ReadonlyMap<number, { image: string; path: string }>>(new Map());
  readonly runId: string;
  readonly #api: Api;

  constructor(runId: string, api: Api) {
    this.runId = runId;
    this.#api = api;
  }

  get result(): { choice: CheckpointChoice; value: EvaluationResult; seconds: number } | null {
    return this.#result;
  }
  /** A second checkpoint on the same images, such as the one before the switch. */
  get beside(): EvaluationResult | null {
    return this.#beside;
  }
  get busy(): boolean {
    return this.#busy;
  }
  get problem(): string {
    return this.#problem;
  }
  get prediction(): Prediction | null {
    return this.#prediction;
  }
  get predicting(): boolean {
    return this.#predicting;
  }
  get predictProblem(): string {
    return this.#predictProblem;
  }

  /** One checkpoint, or two after each other on the same images. */
  async evaluate(choice: CheckpointChoice, beside: CheckpointChoice | null = null): Promise<void> {
    this.#busy = true;
    this.#problem = '';
    const started = performance.now();
    const scoresOf = (checkpoint: CheckpointChoice) => this.#api.request('evaluate', { runId: this.runId, checkpoint });
    try {
      const value = await scoresOf(choice);
      const second = beside === null ? null : await scoresOf(beside);
      this.#result = { choice, value, seconds: (performance.now() - started) / 1000 };
      this.#beside = second;
    } catch (error) {
      this.#problem = errorText(error);
    }
    this.#busy = false;
  }

  /** Pictures of validation images, by number, as far as they were asked for. */
  get pictures(): ReadonlyMap<number, { image: string; path: string }> {
    return this.#pictures;
  }

  /** Fetches the pictures that are not there yet. */
  async showImages(images: readonly AnsweredImage[]): Promise<void> {
    const indices = images.map(({ index }) => index).filter((index) => !this.#pictures.has(index));
    if (indices.length === 0) return;
    try {
      const found = await this.#api.request('data:images', { runId: this.runId, indices });
      this.#pictures = new Map([...this.#pictures, ...found.map(({ index, image, path }) => [index, { image, path }] as const)]);
    } catch (error) {
      this.#problem = errorText(error);
    }
  }

  /** Classifies a validation image by its number, or an encoded file. */
  async predict(input: { sample: number } | { imageBase64: string }): Promise<void> {
    this.#predicting = true;
    this.#predictProblem = '';
    try {
      this.#prediction = await this.#api.request('predict', { runId: this.runId, ...input });
    } catch (error) {
      this.#predictProblem = errorText(error);
    }
    this.#predicting = false;
  }
}

/** Recall, precision and F1 of each class from the confusion counts (rows: true class). Null where nothing was counted. */
export function classTable(confusion: readonly (readonly number[])[], names: readonly string[]): ClassRow[] {
  return confusion.map((row, truth) => {
    const count = row.reduce((sum, value) => sum + value, 0);
    const predicted = confusion.reduce((sum, other) => sum + (other[truth] ?? 0), 0);
    const hits = row[truth] ?? 0;
    const recall = count > 0 ? hits / count : null;
    const precision = predicted > 0 ? hits / predicted : null;
    const f1 = recall !== null && precision !== null && recall + precision > 0 ? (2 * recall * precision) / (recall + precision) : null;
    return { name: names[truth] ?? `class ${truth}`, count, recall, precision, f1 };
  });
}

/** Half the width of the 95 % Wilson interval of a share; the interval is not centred on the share, so this is its larger side. */
export function wilsonHalfWidth(share: number, n: number): number {
  if (n === 0) return 1;
  const z = 1.959964;
  const centre = (share + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const half = (z * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n))) / (1 + (z * z) / n);
  return Math.max(Math.abs(centre + half - share), Math.abs(share - (centre - half)));
}

/**
 * Whether a difference of two accuracies is larger than what chance leaves open in both, as if the images were not the same: they are, so that
 * a difference within this may still be real, and one beyond it is.
 */
export function isBeyondChance(a: EvaluationResult, b: EvaluationResult): boolean {
  const [one, other] = [wilsonHalfWidth(a.valTop1, a.count), wilsonHalfWidth(b.valTop1, b.count)];
  return Math.abs(a.valTop1 - b.valTop1) > Math.hypot(one, other);
}

/** The most frequent wrong pairs, largest first. */
export function topConfusions(
  confusion: readonly (readonly number[])[],
  limit: number,
): { truth: number; predicted: number; count: number }[] {
  return confusion
    .flatMap((row, truth) => row.map((count, predicted) => ({ truth, predicted, count })))
    .filter(({ truth, predicted, count }) => truth !== predicted && count > 0)
    .sort((a, b) => b.count - a.count)
    .slice(0, limit);
}
