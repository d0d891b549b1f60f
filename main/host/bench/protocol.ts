/**
 * What the benchmark says to a child process and hears from it: one JSON object a line, one answer per request, in order. Our worker
 * (worker.ts) and the PyTorch peer (build/bench/peer.py) speak the same lines, so that their steps can take turns. A failed request is
 * answered with `{ "error": … }`.
 */
import type { MatrixProduct } from '../../core/matrixProducts.ts';
import type { MeasuredSetup } from '../phaseOnNoise.ts';

export interface BenchRequests {
  /** Names the libraries that compute, such as `{ torch: "2.13.0" }`. The first request. */
  versions: { ask: object; answer: { versions: Record<string, string> } };
  /** Makes the model of one phase ready to train. Once per process. */
  open: { ask: MeasuredSetup; answer: OpenedPhase };
  /** One update. `monitored`: with everything a run records of it. Only our worker monitors. */
  step: { ask: { monitored?: Monitoring }; answer: { ms: number; loss: number } };
  /** High-water mark of this process since it began, and resident now. */
  memory: { ask: object; answer: { peakBytes: number; residentBytes: number } };
  /** Seconds that each matrix product takes alone. Our worker, native engine. */
  products: { ask: { products: MatrixProduct[] }; answer: { seconds: number[] } };
  /** Seconds that AdamW takes for one parameter of a large tensor. Our worker, native engine. */
  update: { ask: object; answer: { secondsPerParameter: number } };
}

/** `metrics`: a line per step. `snapshot`: the line, and the norms of all modules. */
export type Monitoring = 'metrics' | 'snapshot';

export interface OpenedPhase {
  /** Name and version of what computes. */
  library: string;
  compiled: boolean;
  /** Parameters that train. */
  trainable: number;
  /** What the process held when its libraries were loaded and the model was not there yet. */
  baseBytes: number;
  /** Building the step before its first call; 0 where nothing is built. */
  traceMs: number;
  loadMs: number;
}

export type RequestName = keyof BenchRequests;

/** What a request of this name is answered with. */
export type Answer<K extends RequestName> = BenchRequests[K]['answer'];
