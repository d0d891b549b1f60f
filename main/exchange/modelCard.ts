/** README.md of an export: the model card that Hugging Face shows, with results, recipe, what was frozen, how to load it, and the known gaps. */
import path from 'node:path';
import type { ExportFormat, ExportSettings } from '../protocol/exports.ts';
import type { ExportSource } from './exportSource.ts';
import { TIMM_EPS } from './timmFolder.ts';

type Names = ExportSettings['names'];

const LIBRARY: Record<ExportFormat, string> = { hf: 'transformers', peft: 'peft', timm: 'timm', onnx: 'onnx' };

/** `kind` is what the folder is: the base below an adapter is no adapter. */
export function modelCard(source: ExportSource, kind: ExportFormat | 'base', names: Names = 'both'): string {
  const format = kind === 'base' ? 'hf' : kind;
  return [
    frontMatter(format),
    `# ${source.run.name}`,
    introduction(source, kind),
    '## Results',
    results(source),
    '## Loading',
    `\`\`\`python\n${snippet(source, format, names)}\n\`\`\``,
    '## Recipe',
    list(recipe(source)),
    '## Known gaps',
    list(gaps(source, format, names)),
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

function introduction({ config, checkpoint, adapters }: ExportSource, kind: ExportFormat | 'base'): string {
  const { model } = config;
  const place = `step ${checkpoint.step} (epoch ${Number(checkpoint.epoch.toFixed(2))}, phase ${checkpoint.phase})`;
  const sizes = `${model.depth} blocks of width ${model.embedDim}, ${model.numHeads} heads, patches of ${model.patchSize} px, images of ${model.imageSize} px`;
  const first = `A Vision Transformer for ${model.numClasses} classes, pre-trained from its first weights with PreLoRA Workbench: ${sizes}. The weights are those of ${place}.`;
  const about = {
    base: 'This is the base without its adapters, which lie beside it; alone it computes something else than the trained model.',
    peft: `${adapters.size} LoRA adapters ${ranks(adapters)} on the base beside them; base and adapters together are the trained model.`,
    hf: merged(adapters),
    timm: merged(adapters),
    onnx: merged(adapters),
  }[kind];
  return [first, about].filter(Boolean).join(' ');
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
  if (!found) return `Not evaluated at step ${checkpoint.step}.`;
  const percent = (value: number | null): string => (value === null ? '–' : `${(100 * value).toFixed(2)} %`);
  return [
    '| set | images | top-1 | top-5 | loss |',
    '| --- | --- | --- | --- | --- |',
    `| ${found.set} | ${found.images} | ${percent(found.valTop1)} | ${percent(found.valTop5)} | ${found.valLoss?.toFixed(4) ?? '–'} |`,
  ].join('\n');
}

/** A few lines of Python that load the export at `folder`, which may be relative to where they run. */
export function snippet(source: ExportSource, format: ExportFormat, names: Names = 'both', folder = '.'): string {
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
    peft: [
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
    format === 'peft' && names !== 'both' ? [`# names are those of transformers ${names === 'classic' ? 'before' : 'from'} 5.9 on`] : [];
  return [...note, ...lines[format]].join('\n');
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
export function gaps({ config, checkpoint }: ExportSource, format: ExportFormat, names: Names): string[] {
  const { model } = config;
  const found: string[] = [];
  const takesImages = model.inChannels === 1 || model.inChannels === 3;
  if (!takesImages)
    found.push(`No preprocessing is written: there is no common rule by which an image file gets ${model.inChannels} channels.`);
  else found.push('Image files with an EXIF rotation must be turned before; this program does it, loaders based on Pillow do not.');
  if (format === 'hf' || format === 'peft') {
    found.push('`AutoImageProcessor` of transformers 5 needs torchvision.');
    if (model.inChannels === 1) found.push('Processors of transformers 4.57 refuse Pillow images of mode L; give an H×W×1 array.');
    if (model.dropPathRate > 0) found.push('Drop path has no place in the config of transformers; it matters only when training goes on.');
  }
  if (format === 'peft') {
    if (names !== 'both')
      found.push(`The tensors have ${names} names only: other versions of transformers load them with a warning and zero adapters.`);
    if (checkpoint.phase === 'warmup') found.push('Base and adapters were both in training at this step; both belong to this step.');
  }
  if (format === 'timm') {
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
