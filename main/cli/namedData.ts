/** `--data SOURCE` of commands that need the data of a run which came in a bundle. Kept with the run, so that it is given once. */
import { nameDataOf } from '../host/nameData.ts';
import type { CommandIo } from './io.ts';

export async function nameDataAnew(dir: string, source: string, io: CommandIo): Promise<void> {
  for (const note of await nameDataOf(dir, { source })) io.stderr.write(`${note}\n`);
}
