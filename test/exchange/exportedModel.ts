/** A small model as it is handed on, the same on every machine: 15 of 18 modules adapted, ranks 2 to 16, alphas that are not all twice the rank. */
import { fileURLToPath } from 'node:url';
import { allModules, parseModuleName } from '../../main/core/modules.ts';
import { adapterShapes, parameterShapes, patchDim, type Shape, sizeOf, tokenCount } from '../../main/core/parameterShapes.ts';
import { randomStream, truncatedNormal } from '../../main/core/random.ts';
import { tf } from '../../main/engine/tf.ts';
import { type ExportContent, type ExportSource, joinContents } from '../../main/exchange/exportSource.ts';
import { hfFolder } from '../../main/exchange/hfFolder.ts';
import { peftAdapter } from '../../main/exchange/peftAdapter.ts';
import { timmAdapter } from '../../main/exchange/timmAdapter.ts';
import { timmFolder } from '../../main/exchange/timmFolder.ts';
import { mergeAdapters } from '../../main/lora/merge.ts';
import { plainLinear, vit } from '../../main/model/vit.ts';
import type { ModelShape } from '../../main/protocol/config.ts';
import type { Tensor } from '../../main/store/safetensors.ts';
import { type TinyConfigInput, tinyConfig } from '../support/tinyConfig.ts';

export const GOLDEN_FILE = fileURLToPath(new URL('../reference/exports/logits.json', import.meta.url));

/** Hidden width 48 is not the width 32, so that a forgotten transpose cannot pass. */
const SHAPE = {
  imageSize: 12,
  patchSize: 4,
  embedDim: 32,
  depth: 3,
  numHeads: 4,
  mlpRatio: 1.5,
  inChannels: 3,
  numClasses: 5,
  layerNormEps: 1e-6,
} as const;

const WITHOUT_ADAPTER = ['blocks.0.attn.k', 'blocks.1.mlp.fc1', 'blocks.2.attn.proj'];
const RANKS = [2, 4, 8, 16];

export function exportedModel(model: NonNullable<TinyConfigInput['model']> = {}): ExportSource {
  const config = tinyConfig({ model: { ...SHAPE, ...model } });
  const parameters = new Map<string, Tensor>();
  let place = 0;
  const add = (name: string, shape: Shape): void => {
    const values = truncatedNormal(randomStream(5, 'init', place++), sizeOf(shape), 0.3);
    parameters.set(name, { shape, data: /norm[12]?\.weight$/.test(name) ? values.map((value) => 1 + value) : values });
  };
  for (const [name, shape] of parameterShapes(config.model)) add(name, shape);
  const adapters = new Map<string, { rank: number; alpha: number }>();
  for (const [index, module] of allModules(config.model.depth).entries()) {
    if (WITHOUT_ADAPTER.includes(module)) continue;
    const rank = RANKS[index % RANKS.length] as number;
    adapters.set(module, { rank, alpha: index % 3 === 0 ? rank : 2 * rank });
    const { family } = parseModuleName(module)!;
    for (const [name, shape] of adapterShapes(config.model, module, family, rank)) add(name, shape);
  }
  return {
    config,
    classes: ['a', 'zwölf', '猫', '"quoted"', 'e f'].slice(0, config.model.numClasses),
    parameters,
    merged: mergeAdapters(parameters, adapters),
    adapters,
    freeze: null,
    run: { id: 'a-run', name: 'golden' },
    checkpoint: { step: 30, epoch: 5, phase: 'lora' },
    results: { set: 'validation', images: 20, valLoss: 1.5, valTop1: 0.4, valTop5: 1 },
  };
}

/** The same model on a base as of the freeze, where head, norms, embeddings and the unadapted layers had other values. */
export function sinceFreeze(source: ExportSource): ExportSource {
  const parameters = new Map<string, Tensor>();
  const moved = new Set<string>();
  let place = 1000;
  for (const [name, shape] of parameterShapes(source.config.model)) {
    const tensor = source.parameters.get(name)!;
    if (source.adapters.has(name.replace(/\.(weight|bias)$/, ''))) parameters.set(name, tensor);
    else {
      const steps = truncatedNormal(randomStream(5, 'init', place++), sizeOf(shape), 0.3);
      parameters.set(name, { shape, data: tensor.data.map((value, index) => value - (steps[index] as number)) });
      moved.add(name);
    }
  }
  return { ...source, freeze: { step: 18, parameters, moved } };
}

/** Everything but the READMEs, by folder. */
export function allFolders(source: ExportSource): ExportContent {
  const frozen = sinceFreeze(source);
  return joinContents(
    ['hf', hfFolder(source, source.merged)],
    ['timm', timmFolder(source, source.merged)],
    ['peft-freeze/base', hfFolder(frozen, frozen.freeze!.parameters)],
    ['peft-freeze/adapter', peftAdapter(frozen, 'both')],
    ['peft-timm/base', timmFolder(source, source.parameters)],
    ['peft-timm/adapter', timmAdapter(source)],
    ['peft/base', hfFolder(source, source.parameters)],
    ['peft/adapter', peftAdapter(source, 'both')],
    ['peft/merged', hfFolder(source, source.merged)],
  );
}

/** Three normalised images [n][channels][height][width]. */
export function exportInputs({ inChannels, imageSize }: ModelShape): number[][][][] {
  const values = truncatedNormal(randomStream(6, 'init', 0), 3 * inChannels * imageSize ** 2, 1);
  let at = 0;
  const list = <T>(length: number, make: () => T): T[] => Array.from({ length }, make);
  return list(3, () => list(inChannels, () => list(imageSize, () => list(imageSize, () => values[at++] as number))));
}

/** Our own model's logits [n][C], flat, on the backend that is set. */
export function ourLogits(parameters: ReadonlyMap<string, Tensor>, model: ModelShape): number[] {
  const inputs = exportInputs(model);
  const { patchSize, imageSize, inChannels } = model;
  const grid = imageSize / patchSize;
  const patches = inputs.flatMap((image) =>
    Array.from({ length: grid * grid }, (_, patch) =>
      Array.from({ length: patchDim(model) }, (_, at) => {
        const pixel = Math.floor(at / inChannels);
        const y = Math.floor(patch / grid) * patchSize + Math.floor(pixel / patchSize);
        return image[at % inChannels]![y]![(patch % grid) * patchSize + (pixel % patchSize)]!;
      }),
    ).flat(),
  );
  return tf.tidy(() => {
    const tensors = Object.fromEntries([...parameters].map(([name, { data, shape }]) => [name, tf.tensor(data, [...shape])]));
    const input = tf.tensor3d(patches, [inputs.length, tokenCount(model) - 1, patchDim(model)]);
    const context = { model, parameters: tensors, isTrainable: () => false } as unknown as Parameters<typeof vit>[1];
    return [...vit(input, { ...context, linear: plainLinear(context) }).dataSync()];
  });
}
