/** A study from the command line, with real runs small enough to wait for: trained, reported, repeated, refused. */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { readSeeds } from '../../main/cli/study.ts';
import { SMALL_RUN } from '../support/smallRun.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const entry = path.resolve(import.meta.dirname, '../../build/prelora.mjs');

function study(folder: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [entry, 'study', '--config', path.join(folder, 'recipe.json'), ...args], {
    encoding: 'utf8',
    env: { ...process.env, PRELORA_DATA_DIR: folder },
  });
  return { status, stdout, stderr };
}

test('trains each variant with each seed, keeps what is finished, and gives mean, spread and paired gap', { timeout: 240_000 }, () => {
  const folder = temporaryFolder();
  const recipe = {
    ...SMALL_RUN,
    train: { ...SMALL_RUN.train, epochs: 2 },
    prelora: { ...SMALL_RUN.prelora, switching: 'auto', jointSteps: 2 },
  };
  writeFileSync(path.join(folder, 'recipe.json'), JSON.stringify(recipe));
  const args = ['--variants', 'full,prelora', '--seeds', '0,4', '--name', 'gap', '--json'];
  const first = study(folder, ...args);
  expect(first.status, first.stderr).toBe(0);
  const report = JSON.parse(first.stdout);
  expect(report.runs.map((run: { variant: string; seed: number }) => `${run.variant} ${run.seed}`)).toEqual([
    'full 0',
    'prelora 0',
    'full 4',
    'prelora 4',
  ]);
  const [full, prelora] = report.variants;
  expect(full).toMatchObject({ n: 2, trainableShare: { mean: 100, n: 2 }, switchStep: null });
  expect(prelora.switchStep).toMatchObject({ mean: 8, std: 0 });
  const gaps = [0, 2].map((index) => report.runs[index + 1].finalValTop1 - report.runs[index].finalValTop1);
  expect(report.differences[0]).toMatchObject({
    variant: 'prelora',
    against: 'full',
    finalValTop1: { n: 2, bySeed: { 0: gaps[0], 4: gaps[1] } },
  });
  const annotations = JSON.parse(readFileSync(path.join(report.runs[3].runDir, 'annotations.json'), 'utf8'));
  expect(annotations.study).toEqual({ study: 'gap', variant: 'prelora', seed: 4 });

  rmSync(report.runs[0].runDir, { recursive: true });
  const again = study(folder, ...args);
  expect(again.stderr).toContain('run 1 of 4, full, seed 0');
  expect(again.stderr).not.toContain('run 2 of 4');
  expect(JSON.parse(again.stdout).runs[0].finalValTop1).toBe(report.runs[0].finalValTop1);

  const other = study(folder, ...args, '--set', 'train.lr=0.01');
  expect(other.status).toBe(2);
  expect(other.stderr).toContain('was trained with another train.lr');
});

test('seeds are a list or a range', () => {
  expect(readSeeds('0,2, 5-7')).toEqual([0, 2, 5, 6, 7]);
  for (const text of ['', 'a', '3-1', '1.5']) expect(() => readSeeds(text)).toThrow('--seeds');
});
