/**
 * What moved since the freeze, as PEFT's `modules_to_save` (formats.md section 4): whole modules, told by the ending of their names, every
 * tensor of theirs in the file. So a freeze that lets a group go on lets all of it go on: head, norms, embeddings, or one linear layer.
 */
import { parseModuleName } from '../core/modules.ts';
import { parameterShapes, type Shape } from '../core/parameterShapes.ts';
import type { ModelShape } from '../protocol/config.ts';
import type { Tensor, TensorSource } from '../store/safetensors.ts';
import { foreignPlace, type HfVocabulary, toForeign } from './foreignNames.ts';
import { fullName } from './foreignTensors.ts';

/** What PEFT puts before the base's own names. */
export const PEFT_PREFIX = 'base_model.model.';

const ENDINGS: Record<string, string> = { head: 'classifier', norm: 'vit.layernorm', norm1: 'layernorm_before', norm2: 'layernorm_after' };
/** Patches, class token and positions are one module; its last word alone would hit the one within it. */
const EMBEDDINGS = 'vit.embeddings';

/** The entries of `modules_to_save` for these paths of ours, each once. */
export function savedModules(paths: Iterable<string>, model: ModelShape, vocabularies: readonly HfVocabulary[]): string[] {
  const shapes = parameterShapes(model);
  const entries = new Set<string>();
  for (const path of paths) {
    const owner = path.replace(/\.(weight|bias)$/, '');
    if (parseModuleName(owner)) {
      for (const vocabulary of vocabularies) entries.add(moduleOf(savedName(path, shapes.get(path) as Shape, model, vocabulary)));
    } else entries.add(ENDINGS[owner.split('.').at(-1) as string] ?? EMBEDDINGS);
  }
  return [...entries];
}

function moduleOf(name: string): string {
  return name.slice(PEFT_PREFIX.length).replace(/\.(weight|bias)$/, '');
}

/** Where a parameter of a saved module lies in the adapter's file. */
export function savedName(path: string, shape: Shape, model: ModelShape, vocabulary: HfVocabulary): string {
  return `${PEFT_PREFIX}${fullName(foreignPlace(path, shape, model, vocabulary).name, vocabulary)}`;
}

/** These parameters under every name that they have. */
export function savedTensors(
  parameters: ReadonlyMap<string, Tensor>,
  paths: Iterable<string>,
  model: ModelShape,
  vocabularies: readonly HfVocabulary[],
): Map<string, TensorSource> {
  const tensors = new Map<string, TensorSource>();
  for (const path of paths) {
    const tensor = parameters.get(path);
    if (!tensor) throw new Error(`${path} is missing from the model`);
    for (const vocabulary of vocabularies) {
      const place = foreignPlace(path, tensor.shape, model, vocabulary);
      const name = savedName(path, tensor.shape, model, vocabulary);
      tensors.set(name, { shape: place.shape, data: async () => toForeign(tensor.data, place, model) });
    }
  }
  return tensors;
}

/**
 * As PEFT does: whether a module that this tensor lies in has a name with one of these endings. Throws where two have, one within the other,
 * which PEFT cannot load.
 */
export function isSaved(name: string, entries: readonly string[]): boolean {
  const parts = name.slice(PEFT_PREFIX.length).split('.').slice(0, -1);
  const modules = parts.map((_, index) => parts.slice(0, index + 1).join('.'));
  const hits = modules.filter((module) => entries.some((entry) => module.endsWith(entry)));
  if (hits.length > 1) throw new Error(`modules_to_save hits ${hits[1]} and ${hits[0]}, which it lies in`);
  return hits.length === 1;
}
