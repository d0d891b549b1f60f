/** `prelora train` and `prelora resume`: a whole run in this process, with live progress and one report at the end. */
import type { z } from 'zod';
import { ensureEngine } from '../engine/ensure.ts';
import { missingNativeEnvironment } from '../engine/environment.ts';
import { progressPrinter } from '../engine/progressLines.ts';
import { type RunReport, type TrainingTask, trainInProcess } from '../host/trainInProcess.ts';
import type { EngineConfig } from '../protocol/config/engine.ts';
import { EXIT_STATUS } from '../protocol/reply.ts';
import { readConfig } from '../store/runFolder.ts';
import { readArguments } from './arguments.ts';
import { CONFIG_OPTIONS, configOfArguments } from './configArguments.ts';
import { type CommandIo, printJson } from './io.ts';
import { nameDataAnew } from './namedData.ts';
import { progressListener } from './progress.ts';
import { runAgainWith } from './respawn.ts';

export const TRAIN_USAGE =
  'prelora train [--preset NAME] [--config FILE] [--set path=value …] [--out DIR] [--backend auto|tensorflow|wasm|cpu] [--json]';
export const RESUME_USAGE = 'prelora resume DIR [--data SOURCE] [--json]';

/** Exit status 0 finished, 5 diverged, 130 stopped by the user. */
export async function trainCommand(args: string[], io: CommandIo): Promise<number> {
  const options = { ...CONFIG_OPTIONS, out: { type: 'string' }, json: { type: 'boolean' } } as const;
  const { values } = readArguments(args, options, TRAIN_USAGE, [0, 0]);
  const config = await configOfArguments(values);
  const again = await inNativeEnvironment(config.engine, ['train', ...args], io);
  return again ?? runTask({ config, dir: values.out ?? null }, io, values.json ?? false);
}

export async function resumeCommand(args: string[], io: CommandIo): Promise<number> {
  const { values, positionals } = readArguments(
    args,
    { data: { type: 'string' }, json: { type: 'boolean' } } as const,
    RESUME_USAGE,
    [1, 1],
  );
  const dir = positionals[0] as string;
  const { engine } = await readConfig(dir);
  const again = await inNativeEnvironment(engine, ['resume', ...args], io);
  if (again !== null) return again;
  if (values.data !== undefined) await nameDataAnew(dir, values.data, io);
  return runTask({ resume: dir }, io, values.json ?? false);
}

async function runTask(task: TrainingTask, io: CommandIo, json: boolean): Promise<number> {
  const report = await trainInProcess(task, {
    listener: (run) => progressListener(run, io),
    say: (message) => io.stderr.write(`${message}\n`),
    signal: io.signal,
  });
  if (json) printJson(io, report);
  else io.stdout.write(`${summaryOf(report)}\n`);
  if (report.status === 'diverged') return EXIT_STATUS.diverged;
  return report.status === 'interrupted' ? EXIT_STATUS.interrupted : 0;
}

/**
 * Gets the native engine once when none is there, and starts this command again where native code needs other environment variables than
 * this process has. Null: go on here.
 */
export async function inNativeEnvironment(
  { backend, threads, xla }: z.output<typeof EngineConfig>,
  argv: string[],
  io: CommandIo,
): Promise<number | null> {
  if (backend !== 'auto' && backend !== 'tensorflow') return null;
  const { engine, ...without } = await ensureEngine({ onProgress: progressPrinter(io.stderr), signal: io.signal });
  if (!engine) {
    if ('why' in without && backend === 'auto') io.stderr.write(`no native engine: ${without.why}; training on wasm, slower\n`);
    return null;
  }
  const missing = missingNativeEnvironment({ threads, xla, engine });
  return Object.keys(missing).length > 0 ? runAgainWith(missing, argv, io) : null;
}

function summaryOf({ runDir, status, phaseHistory, final, best, parameters, backend, compiled }: RunReport): string {
  const percent = (value: number | null): string => (value === null ? '–' : `${(100 * value).toFixed(1)} %`);
  const lines = [`${status}: ${runDir} (${backend}${compiled ? ', compiled' : ''})`];
  for (const { phase, startStep, endStep, imagesPerSecond, peakMemoryBytes, peakGpuMemoryBytes, trainableParameters } of phaseHistory) {
    const speed = imagesPerSecond === null ? '–' : `${imagesPerSecond.toFixed(0)} img/s`;
    const memory = peakMemoryBytes === null ? '–' : `${(peakMemoryBytes / 2 ** 20).toFixed(0)} MiB peak`;
    const gpu = peakGpuMemoryBytes == null ? '' : `, ${(peakGpuMemoryBytes / 2 ** 20).toFixed(0)} MiB peak on the GPU`;
    lines.push(
      `  ${phase.padEnd(6)} steps ${startStep}–${endStep ?? '…'}: ${speed}, ${memory}${gpu}, ${trainableParameters.toLocaleString('en')} trainable`,
    );
  }
  if (parameters.trainableAfterFreeze !== null) {
    const { trainableAfterFreeze, total, sharePercent } = parameters;
    const share = `${sharePercent?.toFixed(2)} %`;
    lines.push(
      `  after the freeze ${trainableAfterFreeze.toLocaleString('en')} of ${total.toLocaleString('en')} parameters train (${share})`,
    );
  }
  lines.push(`  val top-1 ${percent(final.valTop1)}, best ${percent(best?.valTop1 ?? null)} in epoch ${best?.epoch ?? '–'}`);
  return lines.join('\n');
}
