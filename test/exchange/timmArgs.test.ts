/** timm's args.yaml: what is taken, worked out, dropped and refused, by the golden file of test/reference/timm_args.py. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../main/core/resolveConfig.ts';
import { configFromTimm, isTimmArgs } from '../../main/exchange/timmArgs.ts';
import { parseConfigText } from '../../main/store/configFile.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const file = path.resolve(import.meta.dirname, '../fixtures/yaml/timm-args.yaml');
const text = readFileSync(file, 'utf8');
const golden = parseConfigText(text, file) as Record<string, unknown>;

/** batch 64 × 2 accumulated × 4 processes = 512; lr = 0.001 · √(512 / 1024) */
const LR = 0.001 * Math.SQRT1_2;

describe('args.yaml of timm', () => {
  it('becomes the config that trains the same', () => {
    expect(isTimmArgs(golden)).toBe(true);
    const { config } = configFromTimm(golden, { processes: 4 });
    expect(config).toEqual({
      model: { size: 'small', patchSize: 16, imageSize: 224, inChannels: 3, numClasses: 1000, dropPathRate: 0.1 },
      data: {
        labelSmoothing: 0.1,
        mixupAlpha: 0.8,
        cutmixAlpha: 1,
        flip: 0.5,
        cropScaleMin: 0.08,
        randAugmentMagnitude: 9,
        randAugmentOps: 2,
      },
      train: {
        microBatch: 64,
        batchSize: 512,
        lr: expect.closeTo(LR, 12),
        lrFloor: expect.closeTo(1e-5 / LR, 12),
        lrWarmupSteps: '20ep',
        epochs: 300,
        weightDecay: 0.05,
        adamEps: 1e-8,
        beta1: 0.9,
        beta2: 0.999,
        gradClip: 1,
      },
    });
    expect(() => parseConfig(config)).not.toThrow();
  });

  it('says what was taken, worked out, and what has no counterpart', () => {
    const { taken, computed, dropped } = configFromTimm(golden, { processes: 4 });
    expect(taken).toContain('train.epochs = 300 (epochs)');
    expect(computed).toContain('train.batchSize = 512 (batch_size 64 × grad_accum_steps 2 × 4 processes)');
    expect(computed.find((line) => line.startsWith('train.lr ='))).toContain('(lr_base 0.001 × √(512 / 1024))');
    expect(dropped).toEqual(['aa mstd0.5', 'reprob 0.25', 'warmup_lr 0.000001', 'amp true']);
  });

  it.each([
    [{ lr: 0.003 }, 0.003],
    [{ lr_base_scale: 'linear', lr_base: 0.1, lr_base_size: 256 }, 0.05],
    [{ lr_base_scale: 'sqrt', lr_base: 0.1, lr_base_size: 512 }, 0.05],
  ])('works the learning rate out as train.py does: %j', (change, lr) => {
    expect(configFromTimm({ ...golden, ...change }).config.train.lr).toBeCloseTo(lr, 12);
  });

  it.each([
    [{ model: 'resnet50' }, 'model resnet50: only vit_{tiny,small,base,large,huge}_patch{P}_{S} can be taken over'],
    [{ opt: 'sgd' }, 'opt "sgd": only adamw can be taken over'],
    [{ opt: null }, 'opt "sgd": only adamw can be taken over'],
    [{ sched: 'step' }, 'sched "step": only cosine can be taken over'],
    [{ clip_mode: 'agc' }, 'clip_mode "agc": only norm can be taken over'],
    [{ batch_size: 'many' }, 'batch_size "many": must be a number'],
  ])('refuses %j', (change, message) => {
    expect(() => configFromTimm({ ...golden, ...change })).toThrow(message);
  });

  it('is read by prelora import, which refuses what would be dropped where asked to', () => {
    const entry = path.resolve(import.meta.dirname, '../../build/prelora.mjs');
    const run = (...args: string[]) => spawnSync(process.execPath, [entry, 'import', file, ...args], { encoding: 'utf8' });
    const { status, stdout, stderr } = run('--processes', '4', '--json');
    expect(status, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      kind: 'timm',
      config: { train: { batchSize: 512 } },
      dropped: expect.arrayContaining(['amp true']),
    });
    expect(stderr).toContain('dropped: reprob 0.25');
    const strict = run('--strict');
    expect([strict.status, strict.stderr]).toEqual([2, expect.stringContaining('without counterpart: aa mstd0.5, reprob 0.25')]);
    const other = path.join(temporaryFolder(), 'other.yaml');
    writeFileSync(other, 'train: { epochs: 3 }\n');
    expect(spawnSync(process.execPath, [entry, 'import', other], { encoding: 'utf8' }).stderr).toContain('is no args.yaml of timm');
  });
});
