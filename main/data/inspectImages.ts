/**
 * The check of images before a run: every one is decoded in small sets, every header is read in larger ones, and of the largest
 * a part of the headers. What is not found here is found when an image's turn comes (see BatchBuilder).
 */
import { decodeImage, inspectImage, UnreadableImage } from './decode.ts';
import { encodedInput } from './encodedImages.ts';
import { type EncodedImages, encodedName } from './images.ts';
import { type RawSource, type SkippedImage, throwIfAborted } from './rawSource.ts';

const DECODE_ALL_UP_TO = 2000;
/** Of more images only so many headers, evenly spaced, are read: opening then takes a minute and not ten. */
const HEADERS_READ = 100_000;
const AT_ONCE = 8;

export interface Inspection {
  /** Bad images, by their place in the list, with the reason. */
  bad: Map<number, string>;
  /** How many were looked at, and how many of these are gray. */
  checked: number;
  gray: number;
  /** How many need each conversion. */
  converted: Record<string, number>;
  /** What was not looked at, in words. */
  notes: string[];
}

interface InspectOptions {
  convertUnusual: boolean;
  signal: AbortSignal | undefined;
}

/** Looks at the images, a few at a time. Throws interrupted when the signal fires. */
export async function inspectImages(images: EncodedImages, { convertUnusual, signal }: InspectOptions): Promise<Inspection> {
  const total = images.kind === 'files' ? images.paths.length : images.names.length;
  const decodeAll = total <= DECODE_ALL_UP_TO;
  const checked = Math.min(total, HEADERS_READ);
  const result: Inspection = { bad: new Map(), checked, gray: 0, converted: {}, notes: notesFor(total, checked) };
  const inspect = async (place: number): Promise<void> => {
    try {
      const input = await encodedInput(images, place);
      const { gray, conversions } = await inspectImage(input, { convertUnusual, name: encodedName(images, place) });
      if (decodeAll) await decodeImage(input, { channels: gray ? 1 : 3, convertUnusual });
      if (gray) result.gray++;
      for (const name of conversions) result.converted[name] = (result.converted[name] ?? 0) + 1;
    } catch (error) {
      if (!(error instanceof UnreadableImage)) throw error;
      result.bad.set(place, error.message);
    }
  };
  const places = Array.from({ length: checked }, (_, i) => Math.floor((i * total) / checked));
  for (let from = 0; from < checked; from += AT_ONCE) {
    throwIfAborted(signal);
    await Promise.all(places.slice(from, from + AT_ONCE).map(inspect));
  }
  return result;
}

/** The bad images, in the order of the list. */
export function badImages(images: EncodedImages, { bad }: Inspection): SkippedImage[] {
  return [...bad].sort(([a], [b]) => a - b).map(([place, reason]) => ({ path: encodedName(images, place), reason }));
}

/** What a source says of its images: gray ones throughout have one channel, of coloured ones ImageNet's mean and std are known. */
export function factsOf(inspection: Inspection): Pick<RawSource, 'channels' | 'grayImages' | 'rawSize' | 'preset' | 'converted'> {
  const allGray = inspection.gray === inspection.checked - inspection.bad.size;
  return {
    channels: allGray ? 1 : 3,
    grayImages: inspection.gray,
    rawSize: null,
    preset: allGray ? null : 'imagenet',
    converted: inspection.converted,
  };
}

function notesFor(total: number, checked: number): string[] {
  if (total <= DECODE_ALL_UP_TO) return [];
  return [checked < total ? `the headers of ${checked} of ${total} images were checked` : 'only the headers of the images were checked'];
}
