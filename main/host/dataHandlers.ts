/** Looks at a data set before a run is made of it: counts, classes, what was left out and why, and a few pictures. */
import { configError } from '../core/configIssues.ts';
import { parseConfig, resolveWithData } from '../core/resolveConfig.ts';
import { type Dataset, openDataset } from '../data/dataset.ts';
import { duplicatesAcross } from '../data/duplicates.ts';
import { factsOf } from '../data/facts.ts';
import { pictureUrl } from '../data/picture.ts';
import { previewAugment } from '../data/previewAugment.ts';
import { decodeSample } from '../data/showImage.ts';
import { DataConfig } from '../protocol/config/data.ts';
import type { DatasetReport } from '../protocol/results.ts';
import type { EngineHandlers } from './handlers.ts';

const THUMBNAILS = 24;
export const THUMBNAIL_PX = 96;
/** Enough to see what is wrong; the run's data-report.json has all. */
const SKIPPED_SHOWN = 200;

/** Pictures of the augmentation preview. */
const DRAWS = 12;

export function dataHandlers(): Pick<EngineHandlers, 'data:inspect' | 'data:augment'> {
  return {
    async 'data:inspect'({ data }) {
      const parsed = DataConfig.safeParse(data);
      if (!parsed.success)
        throw configError(
          parsed.error.issues.map((issue) => ({ ...issue, path: ['data', ...issue.path] })),
          { data },
        );
      return reportOf(await openDataset(parsed.data));
    },
    async 'data:augment'({ config, sample }) {
      const parsed = parseConfig(config);
      const dataset = await openDataset(parsed.data, { channels: parsed.model.inChannels });
      const index = sample % dataset.train.count;
      const stored = await decodeSample(dataset, 'train', index);
      const draws = await previewAugment(dataset, resolveWithData(parsed, factsOf(dataset)), index, DRAWS);
      return {
        sample: index,
        label: stored.className,
        image: await pictureUrl(stored.image, THUMBNAIL_PX),
        count: dataset.train.count,
        draws: await Promise.all(draws.map(async ({ image, labels }) => ({ image: await pictureUrl(image, THUMBNAIL_PX), labels }))),
      };
    },
  };
}

async function reportOf(dataset: Dataset): Promise<DatasetReport> {
  const { report, classNames, train, val, normalization } = dataset;
  const trainCounts = countClasses(train.labels, classNames.length);
  const valCounts = countClasses(val.labels, classNames.length);
  return {
    source: report.source,
    kind: report.format,
    classNames: [...classNames],
    channels: dataset.channels,
    trainCount: train.count,
    valCount: val.count,
    valOrigin: dataset.valOrigin,
    classCounts: classNames.map((name, c) => ({ name, train: trainCounts[c] as number, val: valCounts[c] as number })),
    mean: normalization.mean,
    std: normalization.std,
    skipped: report.skipped.slice(0, SKIPPED_SHOWN),
    notes: report.notes,
    duplicates: await duplicatesAcross(train, val),
    thumbnails: await thumbnails(dataset),
  };
}

function countClasses(labels: Uint32Array, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const label of labels) counts[label] = (counts[label] as number) + 1;
  return counts;
}

/** Samples spread evenly over the training split; what cannot be read is passed over. */
async function thumbnails(dataset: Dataset): Promise<DatasetReport['thumbnails']> {
  const { count } = dataset.train;
  const wanted = Math.min(THUMBNAILS, count);
  const shown = Array.from({ length: wanted }, async (_, i) => {
    const sample = await decodeSample(dataset, 'train', Math.floor((i * count) / wanted)).catch(() => null);
    return sample && { label: sample.className, image: await pictureUrl(sample.image, THUMBNAIL_PX) };
  });
  return (await Promise.all(shown)).filter((thumbnail) => thumbnail !== null);
}
