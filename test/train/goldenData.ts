/**
 * The made-up weights, batches and masks of test/reference/golden_data.py, bit for bit: what that file hands to PyTorch, this one hands to our
 * engine. Also reads the numbers that vit_step.py wrote.
 */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { patchDim, type Shape, sizeOf, tokenCount } from '../../main/core/parameterShapes.ts';
import type { ModelShape } from '../../main/protocol/config.ts';
import { readSafetensors } from '../../main/store/safetensors.ts';
import type { TrainingBatch } from '../../main/train/phaseTrainer.ts';

/** FNV-1a, 32 bits. */
function nameHash(name: string): number {
  let hash = 2166136261;
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 16777619);
  return hash >>> 0;
}

/** Values in [−0.5, 0.5) with 24 random bits: MurmurHash3's finalizer over name hash and index. */
export function uniform(name: string, size: number): number[] {
  const start = nameHash(name);
  return Array.from({ length: size }, (_, i) => {
    let h = (start + Math.imul(i, 0x9e3779b9)) >>> 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    h = (h ^ (h >>> 16)) >>> 0;
    return (h >>> 8) / 2 ** 24 - 0.5;
  });
}

/** A parameter or adapter tensor by path. */
export function goldenWeight(path: string, shape: Shape): Float32Array {
  const values = uniform(path, sizeOf(shape));
  if (/(^|\.)norm[12]?\.weight$/.test(path)) return Float32Array.from(values, (u) => 1 + 0.4 * u);
  const spread = path.endsWith('.bias') ? 0.2 : 0.4;
  return Float32Array.from(values, (u) => spread * u);
}

/** `count` images with a pattern per class in noise; mixed, smoothed targets. */
export function goldenBatch(model: ModelShape, step: number, count: number): TrainingBatch {
  const perImage = (tokenCount(model) - 1) * patchDim(model);
  const classes = model.numClasses;
  const labels = uniform(`labels ${step}`, 2 * count).map((u) => Math.floor((u + 0.5) * classes));
  const patterns = Array.from({ length: classes }, (_, c) => uniform(`class ${c}`, perImage));
  const patches = Float32Array.from(uniform(`patches ${step}`, count * perImage), (u, i) => {
    const pattern = patterns[labels[Math.floor(i / perImage)]!]!;
    return 2 * u + 2 * pattern[i % perImage]!;
  });
  const targets = new Float64Array(count * classes).fill(0.1 / classes);
  for (let i = 0; i < count; i++) {
    targets[i * classes + labels[i]!]! += 0.9 * 0.75;
    targets[i * classes + labels[count + i]!]! += 0.9 * 0.25;
  }
  return { count, patches, targets: Float32Array.from(targets) };
}

/** Dropout factors of an input of the step: 0 or 1/(1 − rate). */
export function goldenMask(name: string, shape: Shape, rate: number): Float32Array {
  return Float32Array.from(uniform(`mask ${name}`, sizeOf(shape)), (u) => (u + 0.5 < rate ? 0 : 1 / (1 - rate)));
}

const FOLDER = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'reference', 'vit_step');

/** Numbers that another program computed. */
export type Goldens = (name: string) => Float32Array;

/** The tensors of one case of vit_step.py, by name, and all names. */
export async function readGoldens(name: string): Promise<{ golden: Goldens; names: string[] }> {
  const tensors = await readSafetensors(path.join(FOLDER, `${name}.safetensors`));
  const golden = (tensor: string): Float32Array => {
    const found = tensors.get(tensor);
    if (!found) throw new Error(`vit_step/${name}.safetensors has no ${tensor}`);
    return found.data;
  };
  return { golden, names: [...tensors.keys()] };
}
