/**
 * Trains in this very process, for the command line: starts or resumes a run, hands its records to a listener, turns an abort into a clean
 * stop, and reports what came out (architecture.md section 6, `train --json`).
 */
import type { RunConfig } from '../protocol/config.ts';
import type { EpochRecord } from '../protocol/records.ts';
import type { PhaseSummary } from '../protocol/results.ts';
import { readRecords } from '../store/runFolder.ts';
import { CommandQueue } from '../train/commands.ts';
import type { RunEnd, TrainingRun } from '../train/loop.ts';
import type { RunListener } from '../train/recorder.ts';
import { resumeRun, startRun } from '../train/startRun.ts';
import { parameterCounts } from '../train/statusFile.ts';
import { readStartWeights } from './startWeights.ts';

export type TrainingTask = { config: RunConfig; dir: string | null } | { resume: string };

export interface InProcessOptions {
  listener: (run: TrainingRun) => RunListener;
  say: (message: string) => void;
  /** Fired by SIGINT: the run writes a checkpoint and stops. */
  signal: AbortSignal;
}

export interface RunReport {
  runDir: string;
  status: RunEnd;
  phaseHistory: PhaseSummary[];
  switchStep: number | null;
  freezeStep: number | null;
  ranks: Record<string, number>;
  parameters: { total: number; adapters: number; trainableAfterFreeze: number | null; sharePercent: number | null };
  final: { trainLoss: number | null; valLoss: number | null; valTop1: number | null; valTop5: number | null };
  best: { epoch: number; valTop1: number } | null;
  backend: string;
  compiled: boolean;
  engine: { version: string; device: string; threads: number; why: string };
}

/** Runs to the end, to a divergence, or to the abort. The run's lock is free when this returns or throws. */
export async function trainInProcess(task: TrainingTask, { listener, say, signal }: InProcessOptions): Promise<RunReport> {
  const commands = new CommandQueue();
  const late: { listener: RunListener } = { listener: {} };
  const options = { say, signal, commands, listener: forwarding(late), readStartWeights };
  const run = 'resume' in task ? await resumeRun(task.resume, options) : await startRun(task.config, task.dir, options);
  late.listener = listener(run);
  const stop = (): void => void commands.push({ kind: 'stop' }).catch(() => {});
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop);
  try {
    const end = await run.run();
    return await reportOf(run, end);
  } finally {
    signal.removeEventListener('abort', stop);
    commands.close();
    run.options.store.close();
  }
}

/** The listener needs the run, and the run needs a listener: this one passes on to whichever is set. */
function forwarding(to: { listener: RunListener }): RunListener {
  return {
    metrics: (record) => to.listener.metrics?.(record),
    epoch: (record) => to.listener.epoch?.(record),
    snapshot: (record) => to.listener.snapshot?.(record),
    event: (record) => to.listener.event?.(record),
    status: (status) => to.listener.status?.(status),
    activity: (text) => to.listener.activity?.(text),
  };
}

async function reportOf(run: TrainingRun, status: RunEnd): Promise<RunReport> {
  const { state, options, trainer } = run;
  const { name, version, device, threads, why } = options.backend;
  const last: EpochRecord | undefined = (await readRecords(options.store.dir, 'epochs')).at(-1);
  const ranks = Object.fromEntries(state.ranks.map(({ module, rank }) => [module, rank]));
  return {
    runDir: options.store.dir,
    status,
    phaseHistory: state.phases,
    switchStep: state.phase.switchStep,
    freezeStep: state.phase.freezeStep,
    ranks,
    parameters: parameterCounts(run),
    final: {
      trainLoss: last?.trainLoss ?? null,
      valLoss: last?.valLoss ?? null,
      valTop1: last?.valTop1 ?? null,
      valTop5: last?.valTop5 ?? null,
    },
    best: state.best && { epoch: state.best.epoch, valTop1: state.best.valTop1 },
    backend: name,
    compiled: trainer.isCompiled,
    engine: { version, device, threads, why },
  };
}
