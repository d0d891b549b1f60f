/** Reading a command's arguments with one kind of error, exit status 2. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { PreloraError } from '../protocol/reply.ts';

type Options = NonNullable<ParseArgsConfig['options']>;
type Parsed<T extends Options> = ReturnType<typeof parseArgs<{ args: string[]; options: T; allowPositionals: true }>>;

/** Like node's parseArgs; throws `bad-arguments` with the usage line. `positionals` are the fewest and the most there may be. */
export function readArguments<T extends Options>(args: string[], options: T, usage: string, [fewest, most]: [number, number]): Parsed<T> {
  let parsed: Parsed<T>;
  try {
    parsed = parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw new PreloraError('bad-arguments', `${(error as Error).message.split('\n')[0]}\nusage: ${usage}`);
  }
  const count = parsed.positionals.length;
  if (count < fewest) throw new PreloraError('bad-arguments', `an argument is missing\nusage: ${usage}`);
  if (count > most) throw new PreloraError('bad-arguments', `unexpected argument ${parsed.positionals[most]}\nusage: ${usage}`);
  return parsed;
}

/** A number given as text. Throws `bad-arguments` naming the option. */
export function readNumber(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new PreloraError('bad-arguments', `--${option} ${text}: must be a number`, option);
}
