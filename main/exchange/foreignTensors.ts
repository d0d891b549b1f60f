/** A whole model's tensors as other people's files hold them (formats.md section 1), and the way back. */
import { parameterShapes, type Shape, sizeOf } from '../core/parameterShapes.ts';
import type { ModelShape } from '../protocol/config.ts';
import type { Tensor, TensorSource } from '../store/safetensors.ts';
import { type ForeignPlace, foreignPlace, toForeign, type Vocabulary } from './foreignNames.ts';

/** What Hugging Face's classification models put before everything but the head. */
export const HF_PREFIX = 'vit.';

/**
 * Every parameter of a model without adapters, by its name there. Values are turned when their turn comes, so that no second copy of the
 * model has to be in memory.
 */
export function foreignTensors(
  parameters: ReadonlyMap<string, Tensor>,
  model: ModelShape,
  vocabulary: Vocabulary,
): Map<string, TensorSource> {
  const parts = new Map<string, { place: ForeignPlace; tensor: Tensor }[]>();
  for (const [path, shape] of parameterShapes(model)) {
    const tensor = parameters.get(path);
    if (!tensor) throw new Error(`${path} is missing from the model`);
    const place = foreignPlace(path, shape, model, vocabulary);
    parts.set(place.name, [...(parts.get(place.name) ?? []), { place, tensor }]);
  }
  const named = [...parts].map(
    ([name, own]) => [fullName(name, vocabulary), { shape: shapeOf(own), data: () => valuesOf(own, model) }] as const,
  );
  return new Map(named);
}

/** The name in a file of a classification model. */
export function fullName(name: string, vocabulary: Vocabulary): string {
  return vocabulary === 'timm' || name.startsWith('classifier.') ? name : `${HF_PREFIX}${name}`;
}

function shapeOf(parts: readonly { place: ForeignPlace }[]): Shape {
  return (parts[0] as { place: ForeignPlace }).place.shape;
}

/** One parameter, or q, k and v one below the other. */
async function valuesOf(parts: readonly { place: ForeignPlace; tensor: Tensor }[], model: ModelShape): Promise<Float32Array> {
  const values = new Float32Array(sizeOf(shapeOf(parts)));
  let at = 0;
  for (const { place, tensor } of parts) {
    const own = toForeign(tensor.data, place, model);
    values.set(own, at);
    at += own.length;
  }
  return values;
}
