/** Ways to damage a checkpoint, by hand and at random from a seed; shared by the short and the long form of R3. */
import { createHash } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { type RandomStream, randomStream } from '../../main/core/random.ts';
import { checkpointFolder } from '../../main/store/checkpoint.ts';
import { loadCheckpointOrOffer } from '../../main/store/checkpointFolder.ts';
import { NATIVE_METADATA, readSafetensors, writeSafetensors } from '../../main/store/safetensors.ts';
import { tinyRunConfig } from './tinyRun.ts';

type LooseManifest = { files: { name: string; bytes: number; sha256: string }[]; [key: string]: unknown };

const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Changes a manifest and signs it anew, so that only what it says is wrong. */
export function editManifest(dir: string, step: number, edit: (manifest: LooseManifest) => void): void {
  const file = path.join(checkpointFolder(dir, step), 'manifest.json');
  const { sha256: _, ...manifest } = JSON.parse(readFileSync(file, 'utf8')) as LooseManifest;
  edit(manifest as LooseManifest);
  writeFileSync(file, JSON.stringify({ ...manifest, sha256: sha256(JSON.stringify(manifest, null, 2)) }));
}

/** Writes a file of a checkpoint anew and gives the manifest its true size and hash, so that only its content is wrong. */
export function forge(dir: string, step: number, file: string, content: Uint8Array): void {
  writeFileSync(path.join(checkpointFolder(dir, step), file), content);
  editManifest(dir, step, ({ files }) => {
    Object.assign(files.find(({ name }) => name === file) ?? {}, { bytes: content.length, sha256: sha256(content) });
  });
}

export function flipBit(file: string, position: number, bit = 0): void {
  const bytes = readFileSync(file);
  bytes[position] = (bytes[position] as number) ^ (1 << bit);
  writeFileSync(file, bytes);
}

export function cut(file: string, length: number): void {
  writeFileSync(file, readFileSync(file).subarray(0, length));
}

type Damage = (dir: string, step: number, random: RandomStream) => void | Promise<void>;

function anyFile(dir: string, step: number, random: RandomStream): { file: string; bytes: number } {
  const folder = checkpointFolder(dir, step);
  const names = readdirSync(folder).sort();
  const file = path.join(folder, names[random.integer(names.length)] as string);
  return { file, bytes: readFileSync(file).length };
}

const damages: Record<string, Damage> = {
  'a flipped bit'(dir, step, random) {
    const { file, bytes } = anyFile(dir, step, random);
    // The line end after the manifest is no part of its JSON.
    flipBit(file, random.integer(bytes - 1), random.integer(8));
  },
  'a cut file'(dir, step, random) {
    const { file, bytes } = anyFile(dir, step, random);
    cut(file, random.integer(bytes - 1));
  },
  'a missing file'(dir, step, random) {
    rmSync(anyFile(dir, step, random).file);
  },
  'a longer file'(dir, step, random) {
    const { file } = anyFile(dir, step, random);
    writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.from('{')]));
  },
  async 'a wrong shape'(dir, step, random) {
    const part = ['model', 'optimizer', 'previous'][random.integer(3)] as string;
    const file = path.join(checkpointFolder(dir, step), `${part}.safetensors`);
    const tensors = [...(await readSafetensors(file))];
    const [name, { shape, data }] = tensors[random.integer(tensors.length)] as (typeof tensors)[number];
    rmSync(file);
    await writeSafetensors(file, new Map([...tensors, [name, { shape: [...shape, 1], data }]]), NATIVE_METADATA);
    forge(dir, step, `${part}.safetensors`, readFileSync(file));
  },
  'a future version'(dir, step, random) {
    editManifest(dir, step, (manifest) => Object.assign(manifest, { version: 2 + random.integer(100) }));
  },
};

/**
 * Damages checkpoint `damaged` in `count` random ways, one at a time, and expects each to be refused by name with `good` offered.
 * Returns how often each kind of damage was done.
 */
export async function expectRefusals(
  dir: string,
  { good, damaged, count, seed }: { good: number; damaged: number; count: number; seed: number },
): Promise<Record<string, number>> {
  const folder = checkpointFolder(dir, damaged);
  const spare = path.join(dir, 'spare');
  cpSync(folder, spare, { recursive: true });
  const done: Record<string, number> = {};
  const kinds = Object.keys(damages);
  for (let round = 0; round < count; round++) {
    const random = randomStream(seed, 'test', round);
    const kind = kinds[round % kinds.length] as string;
    await damages[kind]?.(dir, damaged, random);
    const error = await loadCheckpointOrOffer(dir, damaged, tinyRunConfig.model, () => true).catch((reason: unknown) => reason);
    const what = `round ${round}, seed ${seed}: ${kind}`;
    expect(error, what).toMatchObject({ code: 'checkpoint-damaged' });
    expect(String(error), what).toMatch(new RegExp(`checkpoint step-${damaged} is damaged: [a-z]+\\.(json|safetensors): .*step-${good}$`));
    rmSync(folder, { recursive: true });
    cpSync(spare, folder, { recursive: true });
    done[kind] = (done[kind] ?? 0) + 1;
  }
  return done;
}
