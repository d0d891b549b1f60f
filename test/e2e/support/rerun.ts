/** A run made again from its config.json and its journal alone, in this process: every edit and command of the user at the step it has there. */
import { parseConfig } from '../../../main/core/resolveConfig.ts';
import type { EventRecord } from '../../../main/protocol/records.ts';
import { readConfig, readRecords } from '../../../main/store/runFolder.ts';
import { CommandQueue, type RunCommand } from '../../../main/train/commands.ts';
import { startRun } from '../../../main/train/startRun.ts';

/** Trains into `to` what `from` tells, to the end. Pauses need no repeating: they change nothing. */
export async function rerun(from: string, to: string): Promise<void> {
  const [config, events] = await Promise.all([readConfig(from), readRecords(from, 'events')]);
  const commands = new CommandQueue();
  const given = events.flatMap((event) => commandOf(event) ?? []);
  const obeyAt = (step: number): void => {
    for (const { at, command } of given) if (at === step) void commands.push(command);
  };
  const run = await startRun(parseConfig(config), to, { commands, listener: { metrics: ({ step }) => obeyAt(step) } });
  try {
    await run.run();
  } finally {
    commands.close();
    run.options.store.close();
  }
}

function commandOf({ kind, step, detail }: EventRecord): { at: number; command: RunCommand } | null {
  if (kind !== 'edited') return null;
  const changes = { [String(detail.field)]: detail.to };
  const extension = (detail.extension ?? 'continue') as Extract<RunCommand, { kind: 'edit' }>['extension'];
  return { at: step, command: { kind: 'edit', changes, extension } };
}
