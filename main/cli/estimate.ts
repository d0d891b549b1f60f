/** `prelora estimate`: what a config would cost on this machine, phase by phase, before anything is trained. The page shows the same. */
import { dataFacts } from '../host/dataFacts.ts';
import { estimateConfig } from '../host/estimate.ts';
import { isBusy, isNative, knownSpeed, measureSpeed } from '../host/machineSpeed.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { Estimate, PhaseCost } from '../protocol/results.ts';
import { dataRoot } from '../store/paths.ts';
import { readArguments } from './arguments.ts';
import { CONFIG_OPTIONS, configOfArguments } from './configArguments.ts';
import { type CommandIo, formatTable, printJson } from './io.ts';

export const ESTIMATE_USAGE =
  'prelora estimate [--preset NAME] [--config FILE] [--set path=value …] [--backend auto|tensorflow|wasm|cpu] [--json]';

export async function estimateCommand(args: string[], io: CommandIo): Promise<number> {
  const options = { ...CONFIG_OPTIONS, json: { type: 'boolean' } } as const;
  const { values } = readArguments(args, options, ESTIMATE_USAGE, [0, 0]);
  const config = await configOfArguments(values);
  const say = (message: string): void => void io.stderr.write(`${message}\n`);
  if (isNative(config.engine) && !knownSpeed(config.engine).measured) {
    say('measuring how fast this machine multiplies matrices: once, a few seconds');
    const speed = await measureSpeed(config.engine);
    if (isBusy())
      say(`the machine is busy: ${(speed.multiplyAddsPerSecond / 1e9).toFixed(0)} G multiply-adds/s, not kept; typical speed is assumed`);
  }
  const data = await dataFacts(config.data, config.model.inChannels);
  if (data.fault) say(`${data.fault.message}; estimated without the data, for ${config.model.numClasses ?? 10} classes`);
  const estimate = await estimateConfig(config, data.fault ? null : data, dataRoot());
  const [problem] = estimate.problems;
  if (problem) throw new PreloraError('bad-config', problem.message, problem.field);
  if (values.json) printJson(io, { ...estimate, isEstimate: true });
  else io.stdout.write(`${describeEstimate(estimate)}\n`);
  return 0;
}

/** The estimate as a person reads it; every predicted figure carries ≈. */
function describeEstimate({ parameters, full, warmup, lora, secondsEstimate, totalSteps, checkpointBytes }: Estimate): string {
  const rows = Object.entries({ full, warmup, lora }).flatMap(([phase, cost]) => (cost ? [phaseRow(phase, cost)] : []));
  const header = ['phase', 'trainable', 'GFLOP/image', 'weights', 'gradients', 'optimizer', 'activations', 'other', 'peak memory', 'speed'];
  const lines = [`${(parameters ?? 0).toLocaleString('en')} parameters`, formatTable(header, rows)];
  lines.push('≈ predicted, for the compiled step; adapters at the largest rank the config allows. GFLOP: forward and backward.');
  if (totalSteps !== null && secondsEstimate !== null) {
    lines.push(`${totalSteps.toLocaleString('en')} steps, ≈ ${hours(secondsEstimate)} if all were of phase full`);
  }
  if (checkpointBytes !== null) lines.push(`checkpoint ≈ ${mebibytes(checkpointBytes)}`);
  return lines.join('\n');
}

function phaseRow(phase: string, cost: PhaseCost): string[] {
  const { weightBytes, gradientBytes, optimizerBytes, activationBytes, workspaceBytes, totalBytes } = cost;
  const parts = [weightBytes, gradientBytes, optimizerBytes, activationBytes, workspaceBytes].map(mebibytes);
  const speed = cost.imagesPerSecond === null ? '–' : `≈ ${cost.imagesPerSecond.toPrecision(3)} img/s`;
  const gigaFlops = ((2 * cost.multiplyAdds) / 1e9).toPrecision(3);
  return [phase, cost.trainableParameters.toLocaleString('en'), gigaFlops, ...parts, `≈ ${mebibytes(totalBytes)}`, speed];
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}

function hours(seconds: number): string {
  return seconds < 3600 ? `${(seconds / 60).toPrecision(2)} min` : `${(seconds / 3600).toPrecision(3)} h`;
}
