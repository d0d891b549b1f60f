/** What a run is, apart from when and how fast it was made: to compare a run with one that was never disturbed, byte for byte. */
import { newestGoodCheckpoint } from '../../main/store/checkpointFolder.ts';
import { loadCheckpoint } from '../../main/store/checkpointReading.ts';
import { readConfig, readLineage, readRanks, readRecords } from '../../main/store/runFolder.ts';

/** Numbers of a record that a second run measures anew, and the segment, which counts interruptions. */
const MEASURED = ['segment', 'imagesPerSecond', 'stepMs', 'dataWaitMs', 'memoryBytes', 'seconds', 'peakMemoryBytes'];

export interface RunContent {
  step: number;
  metrics: object[];
  epochs: object[];
  snapshots: object[];
  ranks: unknown;
  /** Tensors of the newest checkpoint, optimizer included: path → base64. */
  weights: Record<string, string>;
}

export async function runContent(dir: string): Promise<RunContent> {
  const data = async (kind: 'metrics' | 'epochs' | 'snapshots') =>
    (await readRecords(dir, kind)).map((record) => Object.fromEntries(Object.entries(record).filter(([key]) => !MEASURED.includes(key))));
  const { model } = await readConfig(dir);
  const { step } = await newestGoodCheckpoint(dir, model, await readLineage(dir));
  const { manifest, tensors } = await loadCheckpoint(dir, step as number, model);
  const weights = Object.entries(tensors).flatMap(([part, map]) =>
    [...(map ?? [])].map(([name, { data }]) => [
      `${part}/${name}`,
      Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64'),
    ]),
  );
  return {
    step: manifest.step,
    metrics: await data('metrics'),
    epochs: await data('epochs'),
    snapshots: await data('snapshots'),
    ranks: await readRanks(dir),
    weights: Object.fromEntries(weights),
  };
}
