/**
 * What each phase of a run measured: speed at the median step, and its own memory peak. Like is compared with like only if every phase starts
 * its figures anew (product.md section 3, honest numbers). The entries live in the run's state; this keeps them up to date.
 */
import { countInPhase } from '../core/trainableSet.ts';
import { GpuMeter, isOnGpu } from '../engine/gpuMeter.ts';
import type { MetricsRecord } from '../protocol/records.ts';
import type { GpuReading } from '../protocol/run.ts';
import { MemoryMeter } from './memory.ts';
import { type RunState, rankPlan } from './runState.ts';
import { Throughput } from './throughput.ts';

export class PhaseHistory {
  readonly memory = new MemoryMeter();
  #gpu: GpuMeter | null = null;
  #throughput = new Throughput();

  /** Follows the GPU, where the backend computes on one, until `close`. */
  watchDevice(backend: { device: string }): void {
    if (isOnGpu(backend)) this.#gpu = new GpuMeter();
  }

  close(): void {
    this.#gpu?.close();
  }

  /** Undefined where no GPU computes, null where its driver tells nothing. */
  get gpu(): GpuReading | null | undefined {
    return this.#gpu?.reading ?? (this.#gpu ? null : undefined);
  }

  /** For a line of metrics. */
  get memoryNow(): Pick<MetricsRecord, 'memoryBytes' | 'gpuUse' | 'gpuMemoryBytes'> {
    const { gpu } = this;
    const memoryBytes = this.memory.currentBytes();
    return gpu === undefined ? { memoryBytes } : { memoryBytes, gpuUse: gpu?.use ?? null, gpuMemoryBytes: gpu?.usedBytes ?? null };
  }

  /** Counts one update of `images` images that took `ms` milliseconds. */
  add(ms: number, images: number): void {
    this.#throughput.add(ms, images);
  }

  /** Median of the last steps in milliseconds, null for the first 20 of a phase. */
  get recentStepMs(): number | null {
    return this.#throughput.recentStepMs;
  }

  /** A phase begins at the state's step, or a resumed run goes on inside one. */
  open(state: RunState): void {
    this.memory.resetPeak();
    this.#gpu?.resetPeak();
    this.#throughput = new Throughput();
    const { phases, phase, step } = state;
    const last = phases.at(-1);
    if (last && last.phase === phase.phase && last.endStep === null) return;
    const { trainable } = countInPhase(state.config, phase.phase, rankPlan(state));
    const unmeasured = { imagesPerSecond: null, stepMsMedian: null, peakMemoryBytes: null };
    phases.push({ phase: phase.phase, startStep: step, endStep: null, ...unmeasured, trainableParameters: trainable });
  }

  /** Brings the running phase's figures up to date; a number as `endStep` closes it. */
  update({ phases }: RunState, endStep: number | null): void {
    const last = phases.at(-1);
    if (!last) return;
    const { imagesPerSecond, stepMsMedian } = this.#throughput;
    Object.assign(last, {
      endStep,
      imagesPerSecond: imagesPerSecond ?? last.imagesPerSecond,
      stepMsMedian: stepMsMedian ?? last.stepMsMedian,
      peakMemoryBytes: Math.max(last.peakMemoryBytes ?? 0, this.memory.peakBytes()),
    });
    if (this.#gpu) last.peakGpuMemoryBytes = largest(last.peakGpuMemoryBytes, this.#gpu.peakBytes);
  }
}

function largest(a: number | null | undefined, b: number | null): number | null {
  return a == null || b === null ? (a ?? b) : Math.max(a, b);
}
