import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { type CheckpointContent, checkpointFolder, saveCheckpoint } from '../../main/store/checkpoint.ts';
import {
  cleanCheckpointFolder,
  listCheckpoints,
  loadCheckpointOrOffer,
  newestGoodCheckpoint,
  pinCheckpoint,
  pruneCheckpoints,
} from '../../main/store/checkpointFolder.ts';
import { loadCheckpoint, verifyCheckpoint } from '../../main/store/checkpointReading.ts';
import { liveRecords } from '../../main/store/lineage.ts';
import type { Tensor } from '../../main/store/safetensors.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { cut, editManifest, expectRefusals, flipBit, forge } from './damage.ts';
import { namedTensor, tinyCheckpoint, tinyRunConfig } from './tinyRun.ts';

const run = { runId: 'tiny', appendLengths: { 'metrics.jsonl': 12 } };
const { model } = tinyRunConfig;
const everythingLive = (): boolean => true;

async function runWith(...contents: CheckpointContent[]): Promise<string> {
  const dir = temporaryFolder();
  for (const content of contents) await saveCheckpoint(dir, content, run);
  return dir;
}

test('a checkpoint comes back bit for bit, with state, phase and lengths', async () => {
  const content = tinyCheckpoint(7, { phase: 'lora', segment: 2 });
  const dir = await runWith(content);
  const loaded = await loadCheckpoint(dir, 7, model);
  expect(loaded.state).toEqual(content.state);
  expect(loaded.manifest).toMatchObject({ runId: 'tiny', step: 7, phase: 'lora', segment: 2, appendLengths: { 'metrics.jsonl': 12 } });
  for (const part of ['model', 'optimizer', 'previous'] as const) {
    const saved = [...(content.tensors[part] as ReadonlyMap<string, Tensor>)].sort(([a], [b]) => (a < b ? -1 : 1));
    expect([...(loaded.tensors[part] ?? [])]).toEqual(saved);
  }
  expect(loaded.tensors.average).toBeUndefined();
});

test('the manifest lists every file with its size and SHA-256, and the number of tensors', async () => {
  const content = tinyCheckpoint(1);
  const dir = await runWith(content);
  const { files, tensors } = await verifyCheckpoint(dir, 1, model);
  expect(files.map(({ name }) => name)).toEqual(['model.safetensors', 'optimizer.safetensors', 'previous.safetensors', 'state.json']);
  for (const { name, bytes, sha256 } of files) {
    const content = readFileSync(path.join(checkpointFolder(dir, 1), name));
    expect({ bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') }).toEqual({ bytes, sha256 });
  }
  const { model: weights, optimizer, previous } = content.tensors;
  expect(tensors).toBe(weights.size + optimizer.size + (previous?.size ?? 0));
});

test('a checkpoint of the same step replaces the older one', async () => {
  const dir = await runWith(tinyCheckpoint(3), tinyCheckpoint(3, { segment: 1 }));
  expect((await loadCheckpoint(dir, 3, model)).manifest.segment).toBe(1);
  expect(readdirSync(path.join(dir, 'checkpoints'))).toEqual(['step-3']);
});

const at = (dir: string, file: string): string => path.join(checkpointFolder(dir, 2), file);

const damages: [name: string, damage: (dir: string) => void, message: RegExp][] = [
  ['a flipped byte', (dir) => flipBit(at(dir, 'model.safetensors'), 1000), /model\.safetensors: has another SHA-256/],
  ['a cut file', (dir) => cut(at(dir, 'optimizer.safetensors'), 100), /optimizer\.safetensors: has 100 bytes, expected \d+/],
  ['another date', (dir) => alter(at(dir, 'manifest.json'), '"createdAt": "2', '"createdAt": "3'), /manifest\.json: has another SHA-256/],
  ['a missing file', (dir) => rmSync(at(dir, 'state.json')), /state\.json: is missing/],
  ['a missing manifest', (dir) => rmSync(at(dir, 'manifest.json')), /manifest\.json: is missing/],
  ['half a manifest', (dir) => cut(at(dir, 'manifest.json'), 80), /manifest\.json: is not JSON/],
  ['a future version', (dir) => editManifest(dir, 2, (m) => Object.assign(m, { version: 2 })), /is version 2, this program reads up to 1/],
  ['another format', (dir) => editManifest(dir, 2, (m) => Object.assign(m, { format: 'zip' })), /manifest\.json: format: /],
  ['the step of another folder', (dir) => editManifest(dir, 2, (m) => Object.assign(m, { step: 5 })), /tells of step 5/],
  ['a file outside', (dir) => editManifest(dir, 2, (m) => Object.assign(m.files[0] ?? {}, { name: '../../x' })), /lists "\.\.\/\.\.\/x"/],
  ['an unlisted optimizer', (dir) => editManifest(dir, 2, (m) => m.files.splice(1, 1)), /does not list optimizer\.safetensors/],
  ['a state that is no JSON', (dir) => forge(dir, 2, 'state.json', Buffer.from('{')), /state\.json: is not JSON/],
  ['tensors that are none', (dir) => forge(dir, 2, 'model.safetensors', Buffer.from('abc')), /model\.safetensors: unsafe-tensors: /],
];

function alter(file: string, from: string, to: string): void {
  writeFileSync(file, readFileSync(file, 'utf8').replace(from, to));
}

test.each(damages)('%s is refused by name and the last good one is offered', async (_, damage, message) => {
  const dir = await runWith(tinyCheckpoint(1), tinyCheckpoint(2));
  damage(dir);
  const error = await loadCheckpointOrOffer(dir, 2, model, everythingLive).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'checkpoint-damaged' });
  expect(String(error)).toMatch(/checkpoint step-2 is damaged: /);
  expect(String(error)).toMatch(message);
  expect(String(error)).toMatch(/; the newest good one is step-1$/);
  const loaded = await loadCheckpoint(dir, 1, model);
  expect(loaded.state).toEqual(tinyCheckpoint(1).state);
});

test('forty random damages are each refused by name, and the last good one is offered', async () => {
  const dir = await runWith(tinyCheckpoint(1), tinyCheckpoint(2), tinyCheckpoint(3, { phase: 'lora' }));
  await expectRefusals(dir, { good: 2, damaged: 3, count: 40, seed: 1 });
});

const wrongTensors: [name: string, change: (content: CheckpointContent) => void, message: string][] = [
  [
    'a tensor of another shape',
    ({ tensors }) => put(tensors.model, 'head.weight', [8, 4]),
    'model.safetensors: head.weight has shape [8,4], expected [8,3]',
  ],
  ['a missing tensor', ({ tensors }) => drop(tensors.model, 'norm.bias'), 'model.safetensors: norm.bias is missing'],
  [
    'an unknown tensor',
    ({ tensors }) => put(tensors.model, 'blocks.2.attn.q.loraA', [8, 2]),
    'blocks.2.attn.q.loraA is no tensor of this model',
  ],
  ['an adapter without its other half', ({ tensors }) => drop(tensors.model, 'blocks.0.attn.q.loraB'), 'blocks.0.attn.q.loraB is missing'],
  [
    'an adapter of two ranks',
    ({ tensors }) => put(tensors.model, 'blocks.0.attn.q.loraB', [3, 8]),
    'loraB has shape [3,8], expected [2,8]',
  ],
  [
    'a moment of nothing',
    ({ tensors }) => put(tensors.optimizer, 'm/tail', [1]),
    'optimizer.safetensors: m/tail belongs to no tensor of the model',
  ],
  ['a moment without its other half', ({ tensors }) => drop(tensors.optimizer, 'v/clsToken'), 'v/clsToken is missing'],
  ['a moment of another shape', ({ tensors }) => put(tensors.optimizer, 'v/clsToken', [8]), 'v/clsToken has shape [8], expected [1,1,8]'],
  [
    'previous weights of nothing',
    ({ tensors }) => put(tensors.previous, 'blocks.7.attn.q.weight', [8, 8]),
    'previous.safetensors: blocks.7.attn.q.weight is missing',
  ],
];

function put(part: ReadonlyMap<string, unknown> | undefined, name: string, shape: number[]): void {
  (part as Map<string, Tensor>).set(name, namedTensor(name, shape, 0));
}

function drop(part: ReadonlyMap<string, unknown>, name: string): void {
  (part as Map<string, Tensor>).delete(name);
}

test.each(wrongTensors)('%s is refused by name', async (_, change, message) => {
  const content = tinyCheckpoint(2, { phase: 'lora' });
  change(content);
  const dir = await runWith(content);
  await expect(loadCheckpoint(dir, 2, model)).rejects.toThrow(message);
});

test('adapters in phase full are refused', async () => {
  const dir = await runWith({ ...tinyCheckpoint(2, { phase: 'lora' }), phase: 'full' });
  await expect(loadCheckpoint(dir, 2, model)).rejects.toThrow('does not belong to a model in phase full');
});

test('a step that was never saved is not found, and what there is, is named', async () => {
  const dir = await runWith(tinyCheckpoint(1), tinyCheckpoint(2));
  const loading = loadCheckpointOrOffer(dir, 9, model, everythingLive);
  await expect(loading).rejects.toMatchObject({ code: 'not-found', message: `${dir}: no checkpoint step-9; it has step-1, step-2` });
});

test('the newest good checkpoint is found below damaged and abandoned ones, which are told', async () => {
  const dir = await runWith(tinyCheckpoint(10), tinyCheckpoint(20), tinyCheckpoint(30), tinyCheckpoint(15, { segment: 1 }));
  flipBit(path.join(checkpointFolder(dir, 15), 'state.json'), 3);
  const isLive = liveRecords([{ segment: 1, step: 10, fromSegment: 0 }]);
  const { step, damaged } = await newestGoodCheckpoint(dir, model, isLive);
  expect(step).toBe(10);
  expect(damaged).toEqual(['checkpoint step-15 is damaged: state.json: has another SHA-256 than when it was written']);
});

test('pruning keeps the newest n, the best and the pinned ones', async () => {
  const dir = await runWith(...[1, 2, 3, 4, 5, 6].map((step) => tinyCheckpoint(step)));
  await pinCheckpoint(dir, { step: 2, segment: 0, reason: 'before-switch' });
  const pruned = await pruneCheckpoints(dir, { newest: 2, best: 3, isLive: everythingLive });
  expect(pruned).toEqual([1, 4]);
  const { checkpoints } = await listCheckpoints(dir);
  expect(checkpoints.map(({ step, pinned }) => [step, pinned])).toEqual([
    [2, 'before-switch'],
    [3, null],
    [5, null],
    [6, null],
  ]);
});

test('pruning removes abandoned checkpoints unless they are pinned', async () => {
  const dir = await runWith(tinyCheckpoint(10), tinyCheckpoint(20), tinyCheckpoint(30), tinyCheckpoint(11, { segment: 1 }));
  await pinCheckpoint(dir, { step: 30, segment: 0, reason: 'before-undo' });
  await pruneCheckpoints(dir, { newest: 5, best: null, isLive: liveRecords([{ segment: 1, step: 10, fromSegment: 0 }]) });
  expect((await listCheckpoints(dir)).checkpoints.map(({ step }) => step)).toEqual([10, 11, 30]);
});

test('a checkpoint that stepped aside for a successor that never came gets its name back', async () => {
  const dir = await runWith(tinyCheckpoint(4), tinyCheckpoint(5));
  const parent = path.join(dir, 'checkpoints');
  renameSync(path.join(parent, 'step-4'), path.join(parent, '.replaced-step-4'));
  cpSync(path.join(parent, 'step-5'), path.join(parent, '.replaced-step-5'), { recursive: true });
  mkdirSync(path.join(parent, '.step-6.999999.tmp'));
  mkdirSync(path.join(parent, '.trash-step-1-00000000'));
  await cleanCheckpointFolder(dir);
  expect(readdirSync(parent).sort()).toEqual(['step-4', 'step-5']);
  await loadCheckpoint(dir, 4, model);
});

test('a tensor that cannot be fetched leaves no trace of a checkpoint and the older ones as they were', async () => {
  const dir = await runWith(tinyCheckpoint(1));
  const broken = tinyCheckpoint(2);
  (broken.tensors.model as Map<string, unknown>).set('clsToken', {
    shape: [1, 1, 8],
    data: () => Promise.reject(new Error('device lost')),
  });
  await expect(saveCheckpoint(dir, broken, run)).rejects.toThrow('device lost');
  expect(readdirSync(path.join(dir, 'checkpoints'))).toEqual(['step-1']);
  expect(existsSync(at(dir, 'manifest.json'))).toBe(false);
  expect(statSync(path.join(checkpointFolder(dir, 1), 'manifest.json')).size).toBeGreaterThan(100);
});
