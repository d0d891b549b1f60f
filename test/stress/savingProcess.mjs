/** The process that the stress test kills: from the checkpoint it is given it saves one after another, telling each step once it is complete. */
import { openRun } from '../../dist/main/store/runStore.js';

const [dir, from] = process.argv.slice(2);
const store = await openRun(dir);
const { manifest, tensors, state } = await store.loadCheckpoint(Number(from));
for (let step = Number(from) + 1; ; step++) {
  await store.saveCheckpoint({ step, phase: manifest.phase, segment: 0, tensors, state });
  process.send(step);
  await store.pruneCheckpoints({ newest: 2, best: null });
}
