/** `prelora eval`: validation metrics of a checkpoint. */
import { evaluateCheckpoint } from '../host/evaluateCheckpoint.ts';
import { PreloraError } from '../protocol/reply.ts';
import { readConfig } from '../store/runFolder.ts';
import { readArguments } from './arguments.ts';
import { type CommandIo, printJson } from './io.ts';
import { nameDataAnew } from './namedData.ts';
import { inNativeEnvironment } from './train.ts';

export const EVAL_USAGE = 'prelora eval DIR [--checkpoint last|best|STEP] [--data SOURCE] [--json]';

export async function evalCommand(args: string[], io: CommandIo): Promise<number> {
  const options = { checkpoint: { type: 'string', default: 'last' }, data: { type: 'string' }, json: { type: 'boolean' } } as const;
  const { values, positionals } = readArguments(args, options, EVAL_USAGE, [1, 1]);
  const dir = positionals[0] as string;
  const checkpoint = readCheckpoint(values.checkpoint);
  const again = await inNativeEnvironment((await readConfig(dir)).engine, ['eval', ...args], io);
  if (again !== null) return again;
  if (values.data !== undefined) await nameDataAnew(dir, values.data, io);
  const scores = await evaluateCheckpoint(dir, checkpoint, (message) => io.stderr.write(`${message}\n`));
  if (values.json) {
    const { images: _forThePage, ...told } = scores;
    printJson(io, told);
  } else {
    const { step, phase, valLoss, valTop1, valTop5, count } = scores;
    const accuracy = `top-1 ${(100 * valTop1).toFixed(2)} %, top-5 ${(100 * valTop5).toFixed(2)} %`;
    io.stdout.write(`step ${step} (${phase}): val loss ${valLoss.toFixed(4)}, ${accuracy} of ${count} images\n`);
  }
  return 0;
}

/** The value of `--checkpoint`. Throws `bad-arguments`. */
export function readCheckpoint(text: string): 'last' | 'best' | number {
  if (text === 'last' || text === 'best') return text;
  if (/^\d+$/.test(text)) return Number(text);
  throw new PreloraError('bad-arguments', `--checkpoint ${text}: must be last, best or a step`, 'checkpoint');
}
