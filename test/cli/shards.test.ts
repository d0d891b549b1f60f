/** Data in shards from the command line: one pattern in quotes trains, and a fault is one sentence and status 3. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { folderWith, numberedTar } from '../data/shardSets.ts';
import { SMALL_RUN } from '../support/smallRun.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const entry = path.resolve(import.meta.dirname, '../../build/prelora.mjs');

test('prelora train takes a pattern of tar shards and parquet files; what is wrong with them is one sentence', {
  timeout: 120_000,
}, async () => {
  const folder = temporaryFolder();
  const config = path.join(folder, 'recipe.json');
  const { source: _, ...data } = SMALL_RUN.data;
  const model = { ...SMALL_RUN.model, inChannels: 3 };
  writeFileSync(
    config,
    JSON.stringify({
      ...SMALL_RUN,
      model,
      data,
      train: { ...SMALL_RUN.train, epochs: 1 },
      prelora: { ...SMALL_RUN.prelora, jointSteps: 1 },
    }),
  );
  const train = (source: string, ...more: string[]) => {
    const args = [entry, 'train', '--config', config, '--set', `data.source=${source}`, ...more, '--json'];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      encoding: 'utf8',
      env: { ...process.env, PRELORA_DATA_DIR: folder },
    });
    return { status, stderr, report: stdout && JSON.parse(stdout) };
  };

  const shards = folderWith({
    'a-train-0.tar': await numberedTar(12),
    'a-train-1.tar': await numberedTar(12),
    'a-val-0.tar': await numberedTar(6),
  });
  const tar = train(path.join(shards, 'a-{train-{0..1},val-0}.tar'));
  expect(tar.status, tar.stderr).toBe(0);
  expect(tar.report.status).toBe('finished');
  const missing = train(path.join(shards, 'a-train-{0..2}.tar'));
  expect([missing.status, missing.report.error?.code]).toEqual([3, 'data-not-found']);
  expect(JSON.stringify(missing.report)).toContain('a-train-2.tar: not found');

  const parquet = folderWith({ 'train.parquet': 'two-labels.parquet', 'test.parquet': 'two-labels.parquet' });
  const asked = train(parquet, '--set', 'train.batchSize=1', '--set', 'train.microBatch=1');
  expect([asked.status, asked.report.error?.code]).toEqual([3, 'parquet-column']);
  const answered = train(parquet, '--set', 'train.batchSize=1', '--set', 'train.microBatch=1', '--set', 'data.labelField=fine_label');
  expect(answered.status, answered.stderr).toBe(0);
});
