/** `prelora presets` and `prelora config schema`: what can be configured, for people and for other programs. */
import { z } from 'zod';
import { RunConfig } from '../protocol/config.ts';
import { fieldTable, rangeText } from '../protocol/fieldTable.ts';
import { PreloraError } from '../protocol/reply.ts';
import { listPresets } from '../store/presets.ts';
import { readArguments } from './arguments.ts';
import { type CommandIo, formatTable, printJson } from './io.ts';

export const PRESETS_USAGE = 'prelora presets [--json]';
export const CONFIG_USAGE = 'prelora config schema|fields [--json]';

export async function presetsCommand(args: string[], io: CommandIo): Promise<number> {
  const { values } = readArguments(args, { json: { type: 'boolean' } } as const, PRESETS_USAGE, [0, 0]);
  const presets = await listPresets();
  if (values.json) printJson(io, { presets });
  else io.stdout.write(`${presets.map(({ name, description }) => `${name.padEnd(18)} ${description}`).join('\n')}\n`);
  return 0;
}

/** `schema` prints the JSON Schema of a config file; `fields` a table of every field with range, default and help. */
export async function configCommand(args: string[], io: CommandIo): Promise<number> {
  const { values, positionals } = readArguments(args, { json: { type: 'boolean' } } as const, CONFIG_USAGE, [1, 1]);
  const [what] = positionals;
  if (what === 'schema') {
    io.stdout.write(`${JSON.stringify(z.toJSONSchema(RunConfig, { io: 'input' }), null, values.json ? 0 : 2)}\n`);
    return 0;
  }
  if (what !== 'fields') throw new PreloraError('bad-arguments', `config ${what}: must be schema or fields\nusage: ${CONFIG_USAGE}`);
  if (values.json) printJson(io, { fields: fieldTable() });
  else {
    const rows = fieldTable().map((field) => [field.path, field.unit ?? '', rangeText(field), JSON.stringify(field.default), field.help]);
    io.stdout.write(`${formatTable(['field', 'unit', 'range', 'default', 'help'], rows)}\n`);
  }
  return 0;
}
