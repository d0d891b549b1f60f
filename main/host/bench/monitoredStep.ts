/**
 * What a run does beside an update, done to measure what it costs (benchmarks.md P7): a line of metrics per step and a snapshot of all
 * norms, written by the same code into a run folder that is thrown away. The page costs the trainer nothing: the host reads these files.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createRun, type RunStore } from '../../store/runStore.ts';
import { MemoryMeter } from '../../train/memory.ts';
import type { PhaseTrainer, UpdateResult } from '../../train/phaseTrainer.ts';
import { Recorder } from '../../train/recorder.ts';
import type { MeasuredSetup } from '../phaseOnNoise.ts';
import type { Monitoring } from './protocol.ts';

export class MonitoredStep {
  readonly #folder: string;
  readonly #store: RunStore;
  readonly #recorder: Recorder;
  readonly #memory = new MemoryMeter();

  private constructor(folder: string, store: RunStore) {
    this.#folder = folder;
    this.#store = store;
    this.#recorder = new Recorder(store, {});
  }

  /** Creates the run folder. Close it when done. */
  static async open({ config }: MeasuredSetup): Promise<MonitoredStep> {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'prelora-bench-'));
    return new MonitoredStep(folder, await createRun({ dir: path.join(folder, 'run'), config }));
  }

  /** Records one update as a run would; gives back the milliseconds that took. */
  record(what: Monitoring, trainer: PhaseTrainer, { step, ms, result }: { step: number; ms: number; result: UpdateResult }): number {
    const started = performance.now();
    const place = { step, epoch: 0, phase: trainer.phase, segment: 0 };
    if (what === 'snapshot') {
      const modules = Object.entries(trainer.measureNorms()).map(([module, norm]) => {
        return [module, { ...norm, gradNorm: result.moduleGradNorms[module] ?? null }];
      });
      this.#recorder.snapshot({ ...place, loss: result.loss, modules: Object.fromEntries(modules) });
    }
    this.#recorder.metrics({
      ...place,
      loss: result.loss,
      lr: 0,
      imagesPerSecond: (1000 * result.count) / ms,
      stepMs: ms,
      dataWaitMs: 0,
      memoryBytes: this.#memory.currentBytes(),
      gradNorm: result.gradNorm,
    });
    return performance.now() - started;
  }

  close(): void {
    this.#store.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
