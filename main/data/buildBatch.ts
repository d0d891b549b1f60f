/**
 * One batch from its sample numbers: read, augment, normalise, cut into patches, mix. Runs in a worker or in the training thread
 * with the same result, since every draw comes from a stream named by seed, step and sample.
 */
import { evalGeometry } from '../core/evalGeometry.ts';
import { randomStream } from '../core/random.ts';
import type { ResolvedConfig } from '../protocol/config.ts';
import { augment } from './augment.ts';
import { resizeAndCrop } from './crop.ts';
import { type DecodeRules, UnreadableImage } from './decode.ts';
import { eraseRandomly } from './erase.ts';
import { readSample, samplePath } from './imageReader.ts';
import { type RawImage, type Split, toChannels } from './images.ts';
import { mixBatch, softTargets } from './mix.ts';
import { normalizationTable, type PatchLayout, valuesPerImage, writePatches } from './patchify.ts';

/** The parts of a run's configuration that decide what a batch contains; plain data, so that it can go to a worker. */
export interface BatchRecipe {
  seed: number;
  model: Pick<ResolvedConfig['model'], 'imageSize' | 'patchSize' | 'inChannels' | 'numClasses'>;
  data: ResolvedConfig['data'];
}

export interface BatchTask {
  /** Training batches are augmented and mixed; evaluation batches are neither, and have hard targets. */
  purpose: 'train' | 'eval';
  step: number;
  micro: number;
  samples: Uint32Array;
  /** Memory of an earlier batch that may be used again. */
  buffer?: ArrayBuffer;
}

/** An image that could not be read when its turn came, and the sample of its class taken instead (none in evaluation). */
export interface ReplacedImage {
  path: string;
  reason: string;
  by: number | null;
}

export interface BuiltBatch {
  /** [labels.length, patches, P·P·K] */
  patches: Float32Array<ArrayBuffer>;
  /** [labels.length, classes] */
  targets: Float32Array<ArrayBuffer>;
  labels: Int32Array<ArrayBuffer>;
  /** The samples really used. */
  samples: Uint32Array<ArrayBuffer>;
  replaced: ReplacedImage[];
}

/** A sample and the image that stands for it; null when its file, and every other of its class, cannot be read. */
interface ReadImage {
  sample: number;
  image: RawImage | null;
}

/** Files decoded at once per batch: enough to keep libuv's threads busy, few enough to bound the memory of decoded images. */
const DECODES_AT_ONCE = 8;
/** Tells the draws of random erasing, made after normalisation, from those made before. */
const ERASING = 1;

/** Builds batches of one split. */
export class BatchBuilder {
  private readonly layout: PatchLayout;
  private readonly table: Float32Array;
  private readonly rules: DecodeRules;

  constructor(
    private readonly split: Split,
    private readonly recipe: BatchRecipe,
  ) {
    const { imageSize, patchSize, inChannels } = recipe.model;
    this.layout = { imageSize, patchSize, channels: inChannels };
    this.table = normalizationTable(recipe.data.mean, recipe.data.std);
    this.rules = { channels: inChannels, convertUnusual: recipe.data.convertUnusual };
  }

  /** A bad image does not fail the batch: it is replaced (training) or left out (evaluation) and told in `replaced`. */
  async build(task: BatchTask): Promise<BuiltBatch> {
    const size = valuesPerImage(this.layout);
    const wanted = task.samples.length;
    const patches = floats(wanted * size, task.buffer);
    const used: number[] = [];
    const replaced: ReplacedImage[] = [];
    for (let from = 0; from < wanted; from += DECODES_AT_ONCE) {
      const group = Array.from(task.samples.subarray(from, from + DECODES_AT_ONCE), (sample) => this.read(sample, task, replaced));
      for (const { sample, image } of await Promise.all(group)) {
        if (!image) continue;
        const offset = used.length * size;
        writePatches(this.prepare(image, sample, task), this.layout, this.table, patches, offset);
        this.erase(patches, offset, sample, task);
        used.push(sample);
      }
    }
    return this.finish(task, { patches: patches.subarray(0, used.length * size), samples: Uint32Array.from(used), replaced });
  }

  private read(sample: number, task: BatchTask, replaced: ReplacedImage[]): ReadImage | Promise<ReadImage> {
    const image = readSample(this.split, sample, this.rules);
    if (!(image instanceof Promise)) return { sample, image };
    return image.then((decoded) => ({ sample, image: decoded })).catch((error) => this.replace(sample, error, { task, replaced }));
  }

  /** In training, the next readable sample of the same class, so that class balance is kept; in evaluation nothing. */
  private async replace(
    sample: number,
    error: unknown,
    { task, replaced }: { task: BatchTask; replaced: ReplacedImage[] },
  ): Promise<ReadImage> {
    if (!(error instanceof UnreadableImage)) throw error;
    const entry: ReplacedImage = { path: samplePath(this.split, sample), reason: error.message, by: null };
    replaced.push(entry);
    if (task.purpose === 'eval') return { sample, image: null };
    const { labels, count } = this.split;
    for (let other = (sample + 1) % count; other !== sample; other = (other + 1) % count) {
      if (labels[other] !== labels[sample]) continue;
      const image = await Promise.resolve(readSample(this.split, other, this.rules)).catch(() => null);
      if (!image) continue;
      entry.by = other;
      return { sample: other, image };
    }
    return { sample, image: null };
  }

  /** The image as the model sees it this time: imageSize × imageSize bytes with all channels. */
  private prepare(image: RawImage, sample: number, { purpose, step }: BatchTask): RawImage {
    const { seed, model, data } = this.recipe;
    const square =
      purpose === 'eval'
        ? resizeAndCrop(image, evalGeometry(model.imageSize, data.crop))
        : augment(image, model.imageSize, data, randomStream(seed, 'augment', step, sample));
    return toChannels(square, model.inChannels);
  }

  private erase(patches: Float32Array, offset: number, sample: number, { purpose, step }: BatchTask): void {
    const probability = this.recipe.data.randomErasing;
    if (purpose === 'eval' || probability === 0) return;
    const random = randomStream(this.recipe.seed, 'augment', step, sample, ERASING);
    eraseRandomly(patches, offset, { layout: this.layout, probability, random });
  }

  private finish(task: BatchTask, built: Omit<BuiltBatch, 'labels' | 'targets'>): BuiltBatch {
    const { seed, model, data } = this.recipe;
    const labels = Int32Array.from(built.samples, (sample) => this.split.labels[sample] as number);
    const classes = model.numClasses;
    const targets =
      task.purpose === 'eval'
        ? softTargets(labels, { classes, smoothing: 0, own: 1 })
        : mixBatch(
            { patches: built.patches, labels, layout: this.layout, classes },
            data,
            randomStream(seed, 'mix', task.step, task.micro),
          );
    return { ...built, labels, targets };
  }
}

/** `length` values, in the given memory when it is large enough; not cleared, every value is written. */
function floats(length: number, buffer: ArrayBuffer | undefined): Float32Array<ArrayBuffer> {
  return buffer && buffer.byteLength >= length * 4 ? new Float32Array(buffer, 0, length) : new Float32Array(length);
}
