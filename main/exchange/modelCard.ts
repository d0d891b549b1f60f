/** README.md of an export: the model card that Hugging Face shows, with results, recipe, what was frozen, how to load it, and the known gaps. */
import path from 'node:path';
import type { ExportFormat, ExportSettings } from '../protocol/exports.ts';
import type { ExportSource } from './exportSource.ts';
import { TIMM_EPS } from './timmFolder.ts';

/** What a PEFT export can be besides the usual. */
type Variant = Pick<ExportSettings, 'names' | 'peftBase'>;

const LIBRARY: Record<ExportFormat, string> = { hf: 'transformers', peft: 'peft', timm: 'timm', onnx: 'onnx' };

/** `kind` is what the folder is: the base below an adapter is no adapter. */
export function modelCard(source: ExportSource, kind: ExportFormat | 'base', variant: Variant): string {
  const format = kind === 'base' ? variant.peftBase : kind;
  return [
    frontMatter(format),
    `# ${source.run.name}`,
    introduction(source, kind),
    '## Results',
    ...(kind === 'base' && source.results ? ['Of base and adapter together:'] : []),
    results(source),
    '## Loading',
    `\`\`\`python\n${snippet(source, format, variant)}\n\`\`\``,
    '## Recipe',
    list(recipe(source)),
    '## Known gaps',
    list(gaps(source, format, variant)),
    '',
  ].join('\n\n');
}

function frontMatter(format: ExportFormat): string {
  const lines = [
    `library_name: ${LIBRARY[format]}`,
    'pipeline_tag: image-classification',
    ...(format === 'peft' ? ['base_model: base'] : []),
  ];
  return `---\n${lines.join('\n')}\n---`;
}

function introduction({ config, checkpoint, adapters, freeze }: ExportSource, kind: ExportFormat | 'base'): string {
  const { model } = config;
  const atFreeze = kind === 'base' && freeze ? `step ${freeze.step}, at the freeze; the adapter goes to ` : '';
  const place = `${atFreeze}step ${checkpoint.step} (epoch ${Number(checkpoint.epoch.toFixed(2))}, phase ${checkpoint.phase})`;
  const sizes = `${model.depth} blocks of width ${model.embedDim}, ${model.numHeads} heads, patches of ${model.patchSize} px, images of ${model.imageSize} px`;
  const first = `A Vision Transformer for ${model.numClasses} classes, pre-trained from its first weights with PreLoRA Workbench: ${sizes}. The weights are those of ${place}.`;
  const about = {
    base: 'This is the base without its adapters, which lie beside it; alone it computes something else than the trained model.',
    peft: `${adapters.size} LoRA adapters ${ranks(adapters)} on the base beside them; base and adapters together are the trained model.${movedWithThem(freeze)}`,
    hf: merged(adapters),
    timm: merged(adapters),
    onnx: merged(adapters),
  }[kind];
  return [first, about].filter(Boolean).join(' ');
}

function movedWithThem(freeze: ExportSource['freeze']): string {
  if (!freeze) return '';
  return ` The base is as of the freeze (step ${freeze.step}); what trained on since (${freeze.moved.size} tensors) is in the adapter, as \`modules_to_save\`.`;
}

function merged(adapters: ExportSource['adapters']): string {
  return adapters.size === 0 ? '' : `${adapters.size} LoRA adapters ${ranks(adapters)} are merged into their weights.`;
}

function ranks(adapters: ExportSource['adapters']): string {
  const all = [...adapters.values()].map(({ rank }) => rank);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  return least === most ? `of rank ${least}` : `of ranks ${least} to ${most}`;
}

function results({ results: found, checkpoint }: ExportSource): string {
  if (!found) return `These weights were not evaluated at step ${checkpoint.step}.`;
  const percent = (value: number | null): string => (value === null ? '–' : `${(100 * value).toFixed(2)} %`);
  return [
    '| set | images | top-1 | top-5 | loss |',
    '| --- | --- | --- | --- | --- |',
    `| ${found.set} | ${found.images} | ${percent(found.valTop1)} | ${percent(found.valTop5)} | ${found.valLoss?.toFixed(4) ?? '–'} |`,
  ].join('\n');
}

/** A few lines of Python that load the export at `folder`, which may be relative to where they run. */
export function snippet(source: ExportSource, format: ExportFormat, { names, peftBase }: Variant, folder = '.'): string {
  const at = (below: string): string => JSON.stringify(below === '' ? folder : path.join(folder, below));
  const { imageSize, inChannels, layerNormEps } = source.config.model;
  const input = `torch.zeros(1, ${inChannels}, ${imageSize}, ${imageSize})`;
  const lines: Record<ExportFormat, string[]> = {
    hf: [
      'import torch',
      'from transformers import ViTForImageClassification',
      `model = ViTForImageClassification.from_pretrained(${at('')}).eval()`,
      `logits = model(pixel_values=${input}).logits`,
    ],
    peft:
      peftBase === 'timm'
        ? timmPeftLines(source, folder)
        : [
            'import torch',
            'from peft import PeftModel',
            'from transformers import ViTForImageClassification',
            `base = ViTForImageClassification.from_pretrained(${at('base')})`,
            `model = PeftModel.from_pretrained(base, ${at('adapter')}).eval()`,
            `logits = model(pixel_values=${input}).logits`,
          ],
    timm: [
      'import timm, torch',
      ...(layerNormEps === TIMM_EPS ? [] : ['from functools import partial']),
      `model = timm.create_model(${JSON.stringify(`local-dir:${folder}`)}, pretrained=True${exactNorm(layerNormEps)}).eval()`,
      `logits = model(${input})`,
    ],
    onnx: [
      'import numpy as np, onnxruntime',
      `session = onnxruntime.InferenceSession(${at('model.onnx')})`,
      `pixels = np.zeros((1, ${inChannels}, ${imageSize}, ${imageSize}), np.float32)  # normalised as the metadata say`,
      '(logits,) = session.run(None, {"pixel_values": pixels})',
    ],
  };
  const note =
    format === 'peft' && peftBase === 'hf' && names !== 'both'
      ? [`# names are those of transformers ${names === 'classic' ? 'before' : 'from'} 5.9 on`]
      : [];
  return [...note, ...lines[format]].join('\n');
}

function timmPeftLines({ config: { model } }: ExportSource, folder: string): string[] {
  const { imageSize, inChannels, layerNormEps } = model;
  const base = JSON.stringify(`local-dir:${path.join(folder, 'base')}`);
  return [
    'import timm, torch',
    'from peft import PeftModel',
    ...(layerNormEps === TIMM_EPS ? [] : ['from functools import partial']),
    `base = timm.create_model(${base}, pretrained=True${exactNorm(layerNormEps)})`,
    `model = PeftModel.from_pretrained(base, ${JSON.stringify(path.join(folder, 'adapter'))}).eval()`,
    `logits = model(torch.zeros(1, ${inChannels}, ${imageSize}, ${imageSize}))`,
  ];
}

function exactNorm(eps: number): string {
  return eps === TIMM_EPS ? '' : `, norm_layer=partial(torch.nn.LayerNorm, eps=${eps})`;
}

function recipe({ config, adapters, checkpoint }: ExportSource): string[] {
  const { train, data, prelora, model } = config;
  const augmentation = Object.entries({
    crop: data.crop,
    flip: data.flip,
    'RandAugment operations': data.randAugmentOps,
    mixup: data.mixupAlpha,
    CutMix: data.cutmixAlpha,
    'random erasing': data.randomErasing,
    'label smoothing': data.labelSmoothing,
  }).filter(([, value]) => value !== 0);
  return [
    `data: ${data.format === 'auto' ? 'images' : data.format} with ${model.numClasses} classes, ${model.inChannels} channels`,
    `epochs: ${train.epochs}, batch ${train.batchSize}`,
    `AdamW: learning rate ${train.lr}, weight decay ${train.weightDecay}, betas ${train.beta1} and ${train.beta2}, gradients clipped at ${train.gradClip || 'nothing'}`,
    `schedule: warm-up ${train.lrWarmupSteps}, then cosine`,
    `augmentation: ${augmentation.map(([name, value]) => `${name} ${value}`).join(', ')}`,
    `regularisation: dropout ${model.dropRate}, drop path ${model.dropPathRate}`,
    `PreLoRA: switching ${prelora.switching}, τ ${prelora.tau} %, ζ ${prelora.zeta} %, window ${prelora.windowSize}, ranks ${prelora.rMin} to ${prelora.rMax}`,
    frozen(adapters, checkpoint.phase),
    `random seed: ${train.seed}`,
  ];
}

function frozen(adapters: ExportSource['adapters'], phase: string): string {
  if (phase === 'full') return 'frozen: nothing; all parameters were trained up to this step';
  if (phase === 'warmup') return `frozen: nothing yet; base and ${adapters.size} adapters were trained together at this step`;
  return `frozen: the base of ${adapters.size} adapted linear layers; adapters ${adapters.size > 0 ? ranks(adapters) : ''} and the rest went on`;
}

/** What another program does not do as this one does, one sentence each. */
export function gaps({ config, checkpoint, freeze }: ExportSource, format: ExportFormat, { names, peftBase }: Variant): string[] {
  const { model } = config;
  const isTimm = format === 'timm' || (format === 'peft' && peftBase === 'timm');
  const found: string[] = [];
  const takesImages = model.inChannels === 1 || model.inChannels === 3;
  if (!takesImages)
    found.push(`No preprocessing is written: there is no common rule by which an image file gets ${model.inChannels} channels.`);
  else found.push('Image files with an EXIF rotation must be turned before; this program does it, loaders based on Pillow do not.');
  if ((format === 'hf' || format === 'peft') && !isTimm) {
    found.push('`AutoImageProcessor` of transformers 5 needs torchvision.');
    if (model.inChannels === 1) found.push('Processors of transformers 4.57 refuse Pillow images of mode L; give an H×W×1 array.');
    if (model.dropPathRate > 0) found.push('Drop path has no place in the config of transformers; it matters only when training goes on.');
  }
  if (format === 'peft') {
    if (names !== 'both' && !isTimm)
      found.push(`The tensors have ${names} names only: other versions of transformers load them with a warning and zero adapters.`);
    if (freeze)
      found.push(
        "Load it with PEFT: transformers' own `load_adapter` silently kept the head, norms and embeddings of the base, those of the freeze, in 5.17; in 5.24 it took them from the adapter.",
      );
    if (isTimm) found.push('The adapters of q, k and v are one, on `attn.qkv`: its rank is the sum of theirs, its alpha equal to that.');
    if (checkpoint.phase === 'warmup') found.push('Base and adapters were both in training at this step; both belong to this step.');
  }
  if (isTimm) {
    found.push('timm rounds the offset of its centre crop half to even (39 → 32 starts at row 4, here at 3).');
    if (model.layerNormEps !== TIMM_EPS)
      found.push(
        `The folder form computes with epsilon ${TIMM_EPS}, trained was ${model.layerNormEps}: the loading line above gives the exact one.`,
      );
  }
  return found;
}

function list(lines: readonly string[]): string {
  return lines.map((line) => `- ${line}`).join('\n');
}
