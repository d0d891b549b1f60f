/** A tiny run that has been trained to its end below a host's data root. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { connectPage, startHost } from '../support/engineHost.ts';
import { trainTiny } from '../train/tinyTraining.ts';

export interface TrainedRun {
  page: ReturnType<typeof connectPage>;
  dir: string;
  runId: string;
}

/** 30 steps through all phases, a checkpoint every 6. */
export async function trainedRun(): Promise<TrainedRun> {
  const host = startHost();
  const page = connectPage(host);
  mkdirSync(host.catalog.root, { recursive: true });
  const dir = path.join(host.catalog.root, 'tiny');
  await trainTiny(dir, { train: { keepCheckpoints: 20 } });
  return { page, dir, runId: (await page.request('runs:list', {}))[0]!.runId };
}
