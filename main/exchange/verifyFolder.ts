/** Checks V1 to V3 of formats.md section 13, on the files as they lie there: sizes and sums, every tensor, every field. Nothing is computed with. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { allModules } from '../core/modules.ts';
import { hiddenDim } from '../core/parameterShapes.ts';
import type { ModelShape } from '../protocol/config.ts';
import type { ExportCheck, ExportedFile } from '../protocol/exports.ts';
import type { Tensor } from '../store/safetensors.ts';
import type { ExportSource } from './exportSource.ts';
import { fusedWanted } from './fusedWanted.ts';
import { HF_VOCABULARIES, hfModule } from './peftAdapter.ts';
import { type Layout, type ReadExport, readExport } from './readExport.ts';
import { type Json, readJson } from './readJson.ts';

/** The checks, and what was read, for the checks that compute. `read` is null when the files cannot be read. */
export async function verifyFolder(
  folder: string,
  layout: Layout,
  source: ExportSource,
  files: readonly ExportedFile[],
): Promise<{ checks: ExportCheck[]; read: ReadExport | null }> {
  const bytes = await check('V1', 'sizes and SHA-256 of the files', () => compareFiles(folder, files));
  let read: ReadExport | null = null;
  const tensors = await check('V2', 'every tensor, mapped back', async () => {
    read = await readExport(folder, layout, source.config.model);
    return compareTensors(read, layout, source);
  });
  const fields = await check('V3', 'sizes, labels, preprocessing, ranks', async () => {
    if (!read) throw new Error('the files could not be read');
    return compareFields(folder, layout, source, read);
  });
  return { checks: [bytes, tensors, fields], read };
}

/** Runs one check: what it gives is the detail, what it throws the failure. */
export async function check(id: ExportCheck['id'], what: string, run: () => Promise<string>): Promise<ExportCheck> {
  try {
    return { id, what, status: 'passed', detail: await run() };
  } catch (error) {
    return { id, what, status: 'failed', detail: error instanceof Error ? error.message : String(error) };
  }
}

/** V1: throws with the first file that is not as it was written. */
export async function compareFiles(folder: string, files: readonly ExportedFile[]): Promise<string> {
  for (const { name, bytes, sha256 } of files) {
    const found = await sumOf(path.join(folder, name));
    if (found.bytes !== bytes) throw new Error(`${name}: has ${found.bytes} bytes, ${bytes} were written`);
    if (found.sha256 !== sha256) throw new Error(`${name}: its SHA-256 is not that of what was written`);
  }
  return `${files.length} files`;
}

/** Size and SHA-256 of a file. */
export async function sumOf(file: string): Promise<Omit<ExportedFile, 'name'>> {
  const hash = createHash('sha256');
  let bytes = 0;
  await pipeline(createReadStream(file), async (pieces) => {
    for await (const piece of pieces as AsyncIterable<Buffer>) {
      hash.update(piece);
      bytes += piece.length;
    }
  });
  return { bytes, sha256: hash.digest('hex') };
}

/** Bit by bit. A PEFT folder holds base and adapters apart, the others the merged model. */
function compareTensors({ parameters, base }: ReadExport, layout: Layout, source: ExportSource): string {
  const wanted = wantedTensors(layout, source);
  if (layout === 'peft' && source.freeze) {
    for (const [name, tensor] of base) compareTensor(`base/: ${name}`, source.freeze.parameters.get(name) as Tensor, tensor);
  }
  for (const [name, tensor] of wanted) compareTensor(name, tensor, parameters.get(name));
  const spare = [...parameters.keys()].find((name) => !wanted.has(name));
  if (spare) throw new Error(`${spare}: was not exported and is there`);
  return `${wanted.size} tensors equal to the last bit`;
}

function wantedTensors(layout: Layout, source: ExportSource): ReadonlyMap<string, Tensor> {
  if (layout === 'peft') return source.parameters;
  return layout === 'peft-timm' ? fusedWanted(source).parameters : source.merged;
}

function compareTensor(name: string, wanted: Tensor, found: Tensor | undefined): void {
  if (!found) throw new Error(`${name}: is missing`);
  if (String(found.shape) !== String(wanted.shape)) throw new Error(`${name}: has shape [${found.shape}], not [${wanted.shape}]`);
  const [a, b] = [bitsOf(wanted), bitsOf(found)];
  const at = a.findIndex((bits, index) => bits !== b[index]);
  if (at >= 0) throw new Error(`${name}[${at}]: is ${found.data[at]}, not ${wanted.data[at]}`);
}

function bitsOf({ data }: Tensor): Uint32Array {
  return new Uint32Array(data.buffer, data.byteOffset, data.length);
}

async function compareFields(folder: string, layout: Layout, source: ExportSource, read: ReadExport): Promise<string> {
  const { model, data } = source.config;
  const facts = [
    ...sizeFacts(model, read),
    ...labelFacts(source, read),
    ...(layout === 'timm' || layout === 'peft-timm' ? timmFacts(model, read.config) : hfFacts(model, read.config)),
  ];
  if (read.preprocessing) {
    facts.push(['mean', read.preprocessing.mean, data.mean], ['std', read.preprocessing.std, data.std]);
  }
  if (layout === 'peft') facts.push(...(await adapterFacts(folder, source, read)));
  if (layout === 'peft-timm') facts.push(...(await timmAdapterFacts(folder, source, read)));
  for (const [name, found, wanted] of facts) {
    if (JSON.stringify(found) !== JSON.stringify(wanted))
      throw new Error(`${name}: is ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
  }
  return `${facts.length} fields`;
}

type Fact = [name: string, found: unknown, wanted: unknown];

/** Of what the shapes and the config tell. A timm folder has no epsilon: that timm's is good enough, logits show. */
function sizeFacts(model: ModelShape, read: ReadExport): Fact[] {
  const names = ['imageSize', 'patchSize', 'inChannels', 'numClasses', 'embedDim', 'depth', 'numHeads', 'qkvBias'] as const;
  const facts = names.map((name): Fact => [name, read.model[name], model[name]]);
  return [...facts, ['hidden width', hiddenDim(read.model), hiddenDim(model)]];
}

function labelFacts({ classes }: ExportSource, read: ReadExport): Fact[] {
  return [['labels', read.classes, classes]];
}

function hfFacts(model: ModelShape, config: Json): Fact[] {
  const labels = config.id2label as Record<string, string>;
  const inverse = Object.fromEntries(Object.entries(labels).map(([index, name]) => [name, Number(index)]));
  return [
    ['model_type', config.model_type, 'vit'],
    ['hidden_act', config.hidden_act, 'gelu'],
    ['layer_norm_eps', config.layer_norm_eps, model.layerNormEps],
    ['image_size', config.image_size, model.imageSize],
    ['intermediate_size', config.intermediate_size, hiddenDim(model)],
    ['label2id', Object.entries(config.label2id as object).sort(), Object.entries(inverse).sort()],
  ];
}

function timmFacts(model: ModelShape, config: Json): Fact[] {
  const args = config.model_args as Record<string, number>;
  return [
    ['num_classes', config.num_classes, model.numClasses],
    ['num_features', config.num_features, model.embedDim],
    ['img_size', args.img_size, model.imageSize],
    // As timm computes it.
    ['hidden width of mlp_ratio', Math.trunc(model.embedDim * (args.mlp_ratio as number)), hiddenDim(model)],
  ];
}

/** Ranks and alphas as PEFT would match them, and that its pattern hits nothing but the adapted modules; what is saved whole. */
async function adapterFacts(folder: string, { adapters, config, freeze }: ExportSource, read: ReadExport): Promise<Fact[]> {
  const { target_modules: target } = await readJson(path.join(folder, 'adapter', 'adapter_config.json'));
  const facts = HF_VOCABULARIES.map((vocabulary): Fact => {
    const adapted = [...adapters.keys()].map((module) => hfModule(module, config.model, vocabulary));
    const hits = modulesOf(config.model, vocabulary).filter((name) => new RegExp(`^(?:${target})$`).test(name));
    return [`targets in ${vocabulary} names`, hits.sort(), adapted.sort()];
  });
  facts.push(['modules_to_save', [...read.saved].sort(), [...(freeze?.moved ?? [])].sort()]);
  return [...facts, ['ranks and alphas', Object.fromEntries(read.adapters), Object.fromEntries(adapters)]];
}

async function timmAdapterFacts(folder: string, source: ExportSource, read: ReadExport): Promise<Fact[]> {
  const { target_modules: targets } = await readJson(path.join(folder, 'adapter', 'adapter_config.json'));
  const wanted = fusedWanted(source).adapters;
  const modules = new Set([...wanted.keys()].map((module) => module.replace(/\.attn\.[qkv]$/, '.attn.qkv')));
  return [
    ['targets', [...(targets as string[])].sort(), [...modules].sort()],
    ['ranks and alphas', sortedEntries(read.adapters), sortedEntries(wanted)],
  ];
}

function sortedEntries(adapters: ExportSource['adapters']): [string, { rank: number; alpha: number }][] {
  return [...adapters].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Every module of `ViTForImageClassification` that holds parameters, and all that these lie in. */
function modulesOf(model: ModelShape, vocabulary: (typeof HF_VOCABULARIES)[number]): string[] {
  const linear = allModules(model.depth).map((module) => hfModule(module, model, vocabulary));
  const others = ['vit.embeddings.patch_embeddings.projection', 'vit.layernorm', 'classifier'];
  const all = new Set<string>();
  for (const name of [...linear, ...others]) {
    const parts = name.split('.');
    for (let length = 1; length <= parts.length; length++) all.add(parts.slice(0, length).join('.'));
  }
  return [...all];
}
