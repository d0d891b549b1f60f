/**
 * What a data set is made of: images as bytes, and splits as lists of labelled images. Packed images (IDX, CIFAR) lie in shared
 * memory, so that worker threads read them without a copy; image files, by themselves or inside larger ones, are decoded when needed.
 */

/** One decoded image: bytes in rows, columns, channels. */
export interface RawImage {
  pixels: Uint8Array;
  height: number;
  width: number;
  /** 1 is gray, 3 is RGB; IDX files may also hold 2 or 4. */
  channels: number;
}

/** Images of one size behind each other in shared memory, each in rows, columns, channels. */
export interface PackedImages {
  kind: 'packed';
  pixels: Uint8Array;
  height: number;
  width: number;
  channels: number;
  /** Sample i is stored as image `rows[i]`; null when the samples are all images in order. */
  rows: Uint32Array | null;
}

/** Images in files of their own; sample i is `root/paths[i]`, with `/` between folders. */
export interface ImageFiles {
  kind: 'files';
  root: string;
  paths: readonly string[];
}

/**
 * Images that lie inside larger files, each as the bytes of an image file: members of tar shards, or what was unpacked from compressed
 * ones. Any of them can be read by itself, so that shuffling and resuming are as exact as with files.
 */
export interface ImageRanges {
  kind: 'ranges';
  /** Absolute paths. */
  files: readonly string[];
  /** What messages and the split by hash call each sample: `train-0001.tar/dog/17.jpg`. */
  names: readonly string[];
  /** Sample i is `lengths[i]` bytes from byte `offsets[i]` on of `files[fileOf[i]]`. */
  fileOf: Uint32Array;
  offsets: Float64Array;
  lengths: Uint32Array;
}

/** Images in the form of image files, which are decoded when they are needed. */
export type EncodedImages = ImageFiles | ImageRanges;

export interface Split {
  /** As the source calls it: train, val, test. */
  name: string;
  count: number;
  /** Class index of every sample. */
  labels: Uint32Array;
  images: PackedImages | EncodedImages;
}

/** The split with only these samples, in this order; pixels are not copied. */
export function takeSamples(split: Split, samples: Uint32Array, name = split.name): Split {
  const labels = samples.map((sample) => split.labels[sample] as number);
  const { images } = split;
  if (images.kind === 'files') {
    const paths = Array.from(samples, (sample) => images.paths[sample] as string);
    return { name, count: samples.length, labels, images: { ...images, paths } };
  }
  if (images.kind === 'ranges') return { name, count: samples.length, labels, images: takeRanges(images, samples) };
  const { rows } = images;
  return { name, count: samples.length, labels, images: { ...images, rows: rows ? samples.map((i) => rows[i] as number) : samples } };
}

function takeRanges({ kind, files, names, fileOf, offsets, lengths }: ImageRanges, samples: Uint32Array): ImageRanges {
  return {
    kind,
    files,
    names: Array.from(samples, (i) => names[i] as string),
    fileOf: samples.map((i) => fileOf[i] as number),
    offsets: Float64Array.from(samples, (i) => offsets[i] as number),
    lengths: samples.map((i) => lengths[i] as number),
  };
}

/** What an encoded image is called within its source; not for packed images, which have numbers. */
export function encodedName(images: EncodedImages, sample: number): string {
  return (images.kind === 'files' ? images.paths[sample] : images.names[sample]) as string;
}

/** A view, not a copy, of one packed image; not to be written to. */
export function packedImage(images: PackedImages, sample: number): RawImage {
  const { height, width, channels } = images;
  const bytes = height * width * channels;
  const row = images.rows ? (images.rows[sample] as number) : sample;
  return { pixels: images.pixels.subarray(row * bytes, (row + 1) * bytes), height, width, channels };
}

/** Whether images of `from` channels can be given as `to`: the same, gray repeated to RGB, RGB reduced to gray. */
export function canConvertChannels(from: number, to: number): boolean {
  return from === to || (from === 1 && to === 3) || (from === 3 && to === 1);
}

/** The image with `channels` channels (see canConvertChannels); itself when it has them already. */
export function toChannels(image: RawImage, channels: number): RawImage {
  if (image.channels === channels) return image;
  const count = image.height * image.width;
  const pixels = new Uint8Array(count * channels);
  const from = image.pixels;
  if (channels === 3) {
    for (let i = 0, to = 0; i < count; i++, to += 3) pixels[to] = pixels[to + 1] = pixels[to + 2] = from[i] as number;
  } else {
    for (let i = 0; i < count; i++) pixels[i] = luma(from[i * 3] as number, from[i * 3 + 1] as number, from[i * 3 + 2] as number);
  }
  return { ...image, pixels, channels };
}

/** ITU-R 601 luma in 16-bit fixed point, as Pillow's convert('L'). */
export function luma(red: number, green: number, blue: number): number {
  return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
}
