/**
 * Whether the tensors of a checkpoint are those of its config: the model's parameters complete and in shape, adapters in pairs of
 * one rank on known modules, moments in pairs for tensors that exist, copies in the shape of their originals. Only headers are
 * looked at. formats.md section 12, "open".
 */
import { parseModuleName } from '../core/modules.ts';
import { adapterShapes, parameterShapes, type Shape } from '../core/parameterShapes.ts';
import type { ModelShape } from '../protocol/config.ts';
import type { Phase } from '../protocol/run.ts';

export type ShapeMap = ReadonlyMap<string, { shape: readonly number[] }>;

/** The tensor files of a checkpoint, by part. */
export interface TensorParts<T> {
  model: T;
  optimizer: T;
  previous?: T;
  average?: T;
}

/** The first rule that is broken, with its file, or null. */
export function findShapeFault(parts: TensorParts<ShapeMap>, model: ModelShape, phase: Phase): { file: string; rule: string } | null {
  const rules: [keyof TensorParts<ShapeMap>, string | null][] = [
    ['model', modelFault(parts.model, model, phase)],
    ['optimizer', momentsFault(parts.optimizer, parts.model)],
    ['previous', copiesFault(parts.previous, parts.model)],
    ['average', copiesFault(parts.average, parts.model)],
  ];
  const broken = rules.find(([, rule]) => rule !== null);
  return broken ? { file: `${broken[0]}.safetensors`, rule: broken[1] as string } : null;
}

function modelFault(tensors: ShapeMap, model: ModelShape, phase: Phase): string | null {
  const expected = parameterShapes(model);
  for (const [path, shape] of expected) {
    const fault = shapeFault(path, shape, tensors);
    if (fault) return fault;
  }
  const extra = [...tensors.keys()].filter((path) => !expected.has(path));
  if (phase === 'full' && extra.length > 0) return `${extra[0]} does not belong to a model in phase full`;
  return adapterFault(extra, tensors, model);
}

function adapterFault(paths: readonly string[], tensors: ShapeMap, model: ModelShape): string | null {
  for (const path of paths) {
    const module = path.replace(/\.lora[AB]$/, '');
    const place = parseModuleName(module);
    if (module === path || !place || place.layer >= model.depth) return `${path} is no tensor of this model`;
    const rank = tensors.get(`${module}.loraA`)?.shape[1] ?? 0;
    for (const [name, shape] of adapterShapes(model, module, place.family, rank)) {
      const fault = shapeFault(name, shape, tensors);
      if (fault) return fault;
    }
  }
  return null;
}

function momentsFault(moments: ShapeMap, model: ShapeMap): string | null {
  for (const name of moments.keys()) {
    const path = name.replace(/^[mv]\//, '');
    const original = model.get(path);
    if (path === name || !original) return `${name} belongs to no tensor of the model`;
    const fault = shapeFault(`m/${path}`, original.shape, moments) ?? shapeFault(`v/${path}`, original.shape, moments);
    if (fault) return fault;
  }
  return null;
}

function copiesFault(copies: ShapeMap | undefined, model: ShapeMap): string | null {
  for (const [path, { shape }] of copies ?? []) {
    const fault = shapeFault(path, shape, model);
    if (fault) return fault;
  }
  return null;
}

function shapeFault(path: string, expected: Shape, tensors: ShapeMap): string | null {
  const found = tensors.get(path)?.shape;
  if (!found) return `${path} is missing`;
  return found.length === expected.length && found.every((side, axis) => side === expected[axis])
    ? null
    : `${path} has shape [${found}], expected [${expected}]`;
}
