/** `prelora engine status|install|remove [--cpu|--gpu] [--json]`: the native compute engines of this machine. */
import { parseArgs } from 'node:util';
import { installWithKernels } from '../engine/ensure.ts';
import { engineStatus, removeEngine } from '../engine/install.ts';
import { type ProgressOutput, progressPrinter } from '../engine/progressLines.ts';
import type { EngineVariant } from '../protocol/engine.ts';
import { PreloraError } from '../protocol/reply.ts';

export interface EngineCommandIo {
  /** The result, and nothing else. */
  stdout: { write(text: string): unknown };
  /** Progress. */
  stderr: ProgressOutput;
  /** Aborted by SIGINT: stops an install, which a repeat continues. */
  signal?: AbortSignal;
}

export const ENGINE_USAGE = 'prelora engine status|install|remove [--cpu|--gpu] [--json]';

const ACTIONS = { status, install, remove };

/**
 * Runs one engine command and prints its result, as one JSON object with `--json`. Gives back the exit status 0.
 * @throws `bad-arguments`; `engine-install` when no engine can be had; `interrupted`.
 */
export async function engineCommand(args: string[], io: EngineCommandIo): Promise<number> {
  const { action, variant, json } = parse(args);
  const { result, text } = await ACTIONS[action](variant, io);
  io.stdout.write(json ? `${JSON.stringify(result)}\n` : `${text}\n`);
  return 0;
}

interface EngineArguments {
  action: keyof typeof ACTIONS;
  variant: EngineVariant | undefined;
  json: boolean;
}

function parse(args: string[]): EngineArguments {
  try {
    const options = { cpu: { type: 'boolean' }, gpu: { type: 'boolean' }, json: { type: 'boolean' } } as const;
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    const [action = 'status', ...more] = positionals;
    if (!Object.hasOwn(ACTIONS, action)) throw new Error(`engine ${action}: the action must be status, install or remove`);
    if (more.length > 0) throw new Error(`engine ${action}: unexpected argument ${more[0]}`);
    if (values.cpu && values.gpu) throw new Error('--cpu and --gpu exclude each other');
    const variant = values.gpu ? 'gpu' : values.cpu ? 'cpu' : undefined;
    return { action: action as keyof typeof ACTIONS, variant, json: values.json ?? false };
  } catch (error) {
    throw new PreloraError('bad-arguments', `${(error as Error).message}; usage: ${ENGINE_USAGE}`);
  }
}

interface Outcome {
  result: unknown;
  text: string;
}

async function status(variant: EngineVariant | undefined): Promise<Outcome> {
  const result = engineStatus();
  const shown = result.installed.filter((engine) => !variant || engine.variant === variant);
  const lines = shown.map(
    (engine) => `tensorflow ${engine.version} ${engine.variant}, ${Math.round(engine.bytes / 1e6)} MB, in ${engine.folder}`,
  );
  if (lines.length === 0) lines.push(`no native engine in ${result.root}; wasm is always there`);
  return { result: { ...result, installed: shown }, text: lines.join('\n') };
}

async function install(variant: EngineVariant = 'cpu', io: EngineCommandIo): Promise<Outcome> {
  const started = performance.now();
  const { engine, withoutKernels } = await installWithKernels({ variant, onProgress: progressPrinter(io.stderr), signal: io.signal });
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  const { version, addon } = engine.manifest;
  return {
    result: { variant, version, addon, kernels: withoutKernels ?? 'compiled', folder: engine.folder, seconds },
    text: `tensorflow ${version} ${variant} is in ${engine.folder} (${seconds} s)${withoutKernels ? `; no compute kernels of our own: ${withoutKernels}` : ''}`,
  };
}

async function remove(variant: EngineVariant | undefined): Promise<Outcome> {
  const removed = await removeEngine({ variant });
  return { result: { removed }, text: removed.length > 0 ? `removed ${removed.join(', ')}` : 'there was no engine to remove' };
}
