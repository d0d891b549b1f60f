/** One run of the fake engine, and what the contract tells of a run, read off its history up to where it stands. */

import type { ResolvedConfig } from '../../../main/protocol/config.ts';
import { RecordPieces } from '../../../main/protocol/recordPieces.ts';
import type { EventRecord } from '../../../main/protocol/records.ts';
import { PreloraError } from '../../../main/protocol/reply.ts';
import {
  type PhaseSummary,
  type RunFacts,
  type RunSpace,
  type RunState,
  RunState as RunStateSchema,
  type RunSummary,
} from '../../../main/protocol/results.ts';
import type { DiskRoom, Phase, RunStatus, StatusFile } from '../../../main/protocol/run.ts';
import { CLASS_NAMES, GIB, GPU_BYTES, gpuUseAt, type History, protocolCost, timeAt } from './history.ts';

export interface ScriptedRun {
  history: History;
  config: ResolvedConfig;
  status: RunStatus;
  step: number;
  tags: string[];
  note: string;
  archived: boolean;
  trashed: boolean;
  /** Its older checkpoints were removed. */
  cleaned: boolean;
  problem: string | null;
  /** What is told of a record that is left out. */
  torn: string | null;
  message: string | null;
  disk: DiskRoom;
  sequence: number;
  extra: EventRecord[];
  /** Step of a switch by the user, beside the rule's. */
  switchStep: number | null;
  freezeStep: number | null;
}

export function phaseOf(run: ScriptedRun): Phase {
  if (run.freezeStep !== null && run.step >= run.freezeStep) return 'lora';
  return run.switchStep !== null && run.step >= run.switchStep ? 'warmup' : 'full';
}

export function statusOf(run: ScriptedRun): StatusFile {
  const { history } = run;
  const phase = phaseOf(run);
  const epochs = history.epochs.filter((epoch) => epoch.step <= run.step);
  const best = epochs.reduce<(typeof epochs)[number] | null>((top, one) => ((one.valTop1 ?? 0) > (top?.valTop1 ?? 0) ? one : top), null);
  const ranks = Object.fromEntries((history.ranks?.modules ?? []).map(({ module, rank }) => [module, rank]));
  return {
    runId: history.plan.runId,
    name: run.config.name,
    status: run.status,
    phase,
    step: run.step,
    totalSteps: history.totalSteps,
    stepsPerEpoch: history.stepsPerEpoch,
    epoch: Math.floor(run.step / history.stepsPerEpoch),
    epochs: run.config.train.epochs,
    segment: 0,
    switchStep: phase === 'full' ? null : run.switchStep,
    freezeStep: phase === 'lora' ? run.freezeStep : null,
    trainableParameters: protocolCost(run.config, phase, ranks, null).trainableParameters,
    totalParameters: protocolCost(run.config, 'full', {}, null).trainableParameters,
    best: best && { step: best.step, epoch: best.epoch, valTop1: best.valTop1 ?? 0 },
    backend: {
      name: 'tensorflow',
      version: '2.21.0',
      device: history.plan.onGpu ? 'GPU NVIDIA GeForce RTX 4070' : 'CPU, 2 threads',
      why: history.plan.onGpu ? '' : 'the GPU engine is not installed yet',
      compiled: true,
    },
    ...(history.plan.onGpu && { gpu: { use: gpuUseAt(run.step, history.plan), usedBytes: GPU_BYTES[phase], totalBytes: 12 * GIB } }),
    message: run.message,
    disk: run.disk,
    updatedAt: timeAt(run.step, history),
  };
}

export function summaryOf(run: ScriptedRun): RunSummary {
  const phase = phaseOf(run);
  return {
    runId: run.history.plan.runId,
    dir: `/data/prelora/runs/${run.history.plan.runId}`,
    config: run.config,
    status: statusOf(run),
    startedAt: timeAt(0, run.history),
    sizeBytes: 0.31 * GIB + run.step * 40_000,
    seconds: run.step * 0.103,
    imagesPerSecond: run.step === 0 ? null : { full: 1240, warmup: 1190, lora: 1560 }[phase],
    peakMemoryBytes: run.step === 0 ? null : { full: 5.31, warmup: 5.38, lora: 5.24 }[phase] * GIB,
    tags: run.tags,
    note: run.note,
    archived: run.archived,
    study: null,
    problem: run.problem,
  };
}

export function factsOf(run: ScriptedRun, classCount: number | null): RunFacts {
  const { history } = run;
  const phase = phaseOf(run);
  return {
    summary: summaryOf(run),
    ranks: phase === 'full' ? null : history.ranks,
    phases: phasesOf(run, phase),
    checkpoints: [
      { step: Math.max(0, run.step - 250), phase, pinned: false, bytes: 0.032 * GIB },
      ...(run.switchStep !== null && phase !== 'full' ? [{ step: run.switchStep, phase: 'full', pinned: true, bytes: 0.032 * GIB }] : []),
    ],
    classNames: classCount ? Array.from({ length: classCount }, (_, i) => `class ${i}`) : CLASS_NAMES,
  };
}

/** The records so far, as they go over the wire. */
export function piecesOf(run: ScriptedRun): RecordPieces {
  const upTo = <T extends { step: number }>(records: readonly T[]): T[] => records.filter(({ step }) => step <= run.step);
  return new RecordPieces(upTo(run.history.metrics), upTo(run.history.snapshots), toBase64);
}

export function stateOf(run: ScriptedRun, classCount: number | null): RunState {
  if (run.problem) throw new PreloraError('run-damaged', run.problem);
  const upTo = <T extends { step: number }>(records: readonly T[]): T[] => records.filter(({ step }) => step <= run.step);
  const { history } = run;
  const facts = factsOf(run, classCount);
  return RunStateSchema.parse({
    ...facts,
    summary: { ...facts.summary, problem: run.torn },
    ...piecesOf(run).first(),
    epochs: upTo(history.epochs),
    events: [...upTo(history.events), ...run.extra],
    abandoned: { metrics: [], epochs: [] },
    live: run.status === 'running' || run.status === 'paused',
    sequence: run.sequence,
  });
}

function phasesOf(run: ScriptedRun, now: Phase): PhaseSummary[] {
  const { history } = run;
  const ranks = Object.fromEntries((history.ranks?.modules ?? []).map(({ module, rank }) => [module, rank]));
  const reached = { full: ['full'], warmup: ['full', 'warmup'], lora: ['full', 'warmup', 'lora'] }[now] as Phase[];
  const start = { full: 0, warmup: run.switchStep ?? 0, lora: run.freezeStep ?? 0 };
  return reached.map((phase, index) => {
    const next = reached[index + 1];
    const imagesPerSecond = { full: 1240, warmup: 1190, lora: 1560 }[phase];
    return {
      phase,
      startStep: start[phase],
      endStep: next ? start[next] : run.status === 'finished' ? run.step : null,
      imagesPerSecond,
      stepMsMedian: (1000 * run.config.train.batchSize) / imagesPerSecond,
      peakMemoryBytes: { full: 5.31, warmup: 5.38, lora: 5.24 }[phase] * GIB,
      ...(history.plan.onGpu && { peakGpuMemoryBytes: GPU_BYTES[phase] }),
      trainableParameters: protocolCost(run.config, phase, ranks, null).trainableParameters,
    };
  });
}

/** Finished runs have two checkpoints that nothing keeps. */
export function spaceOf(run: ScriptedRun): RunSpace {
  const isLive = ['running', 'paused', 'diverged'].includes(run.status);
  const removable: RunSpace['removable'] = [
    { step: 1200, bytes: 82e6, reason: 'older' },
    { step: 2400, bytes: 82e6, reason: 'abandoned' },
  ];
  const { sizeBytes, runId, status } = summaryOf(run);
  return {
    runId,
    name: status.name,
    bytes: sizeBytes,
    checkpointBytes: 246e6,
    removable: run.cleaned ? [] : removable,
    blocked: isLive ? 'a trainer has it open; stop the run first' : null,
  };
}

/** As Node's Buffer writes it. */
export function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
