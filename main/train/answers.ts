/**
 * What a model answered to each image of an evaluation: the confusion of classes, and the images worth looking at. Beside the sums of
 * evaluate.ts, for those who ask where a model fails; training itself needs sums only.
 */
import type { AnsweredImage } from '../protocol/results.ts';
import { crossEntropy } from './evaluate.ts';

/** More mistakes than this are counted but not listed; a model that wrong is not cured by looking. */
const MISTAKES = 5000;
/** Right answers listed of each class, those with the highest loss: what nearly went wrong. */
const RIGHT_PER_CLASS = 12;

export class Answers {
  /** Rows: true class; columns: predicted class. */
  readonly confusion: number[][];
  readonly #answered: AnsweredImage[] = [];

  constructor(readonly classes: number) {
    this.confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  }

  /** Adds a batch: `logits` is [count, classes]. */
  add(logits: Float32Array, { labels, sampleIds }: { labels: Int32Array; sampleIds: Uint32Array }): void {
    labels.forEach((truth, row) => {
      const values = logits.subarray(row * this.classes, (row + 1) * this.classes);
      const predicted = values.indexOf(Math.max(...values));
      const counts = this.confusion[truth] as number[];
      counts[predicted] = (counts[predicted] as number) + 1;
      this.#answered.push({ index: sampleIds[row] as number, truth, predicted, loss: crossEntropy(values, truth) });
    });
  }

  /** Mistakes and, of each class, the least certain right answers; highest loss first. */
  images(): AnsweredImage[] {
    const byLoss = [...this.#answered].sort((a, b) => b.loss - a.loss);
    const right = new Array<number>(this.classes).fill(0);
    let mistakes = 0;
    return byLoss.filter(({ truth, predicted }) => {
      if (truth !== predicted) return mistakes++ < MISTAKES;
      right[truth] = (right[truth] as number) + 1;
      return (right[truth] as number) <= RIGHT_PER_CLASS;
    });
  }
}
