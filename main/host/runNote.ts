/** A user's remark in the journal of a run that is not being trained. */
import { readStatus } from '../store/runFolder.ts';
import { openRun } from '../store/runStore.ts';

/** Throws `busy` while another process writes the run. */
export async function appendNote(dir: string, text: string): Promise<void> {
  const status = await readStatus(dir);
  const store = await openRun(dir);
  try {
    const { step, segment } = status ?? { step: 0, segment: 0 };
    store.appendEvent({ kind: 'note', step, segment, time: new Date().toISOString(), by: 'user', detail: { text } });
  } finally {
    store.close();
  }
}
