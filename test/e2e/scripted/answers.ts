/** What the fake engine finds in data and checkpoints: formulas of class, step and module, nothing stored. */
import { PreloraError } from '../../../main/protocol/reply.ts';
import type { Distribution } from '../../../main/protocol/results.ts';
import { CLASS_NAMES, DATA_FACTS, noise } from './history.ts';
import { picture } from './pictures.ts';
import type { ScriptedRun } from './run.ts';

export function inspect(data: unknown) {
  const { source } = data as { source?: string };
  if (source?.startsWith('/missing'))
    throw new PreloraError('data-not-found', `data.source ${source}: there is no such folder. Check the path.`, 'data.source');
  return {
    source: source ?? 'sample',
    kind: 'IDX',
    classNames: CLASS_NAMES,
    channels: 1,
    trainCount: DATA_FACTS.trainCount,
    valCount: 10_000,
    valOrigin: 'the test files of the source',
    classCounts: CLASS_NAMES.map((name) => ({ name, train: 3200, val: 1000 })),
    mean: DATA_FACTS.mean,
    std: DATA_FACTS.std,
    skipped: [{ path: 'train/Bag/0441.png', reason: 'truncated after 312 bytes' }],
    notes: ['only the headers of the images were checked'],
    duplicates: {
      count: 2,
      examples: [
        { train: 'train/Bag/0007.png', val: 'val/Bag/0103.png' },
        { train: 'train/Coat/0090.png', val: 'val/Coat/0002.png' },
      ],
    },
    thumbnails: Array.from({ length: 24 }, (_, index) => ({ label: CLASS_NAMES[index % 10] ?? '', image: picture(index % 10, index) })),
  };
}

export function augment(sample: number) {
  const name = CLASS_NAMES[sample % 10] ?? '';
  const other = CLASS_NAMES[(sample + 3) % 10] ?? '';
  const draws = Array.from({ length: 12 }, (_, i) => ({
    image: picture(sample % 10, 100 * sample + i),
    labels:
      i % 4 === 3
        ? [
            { name, share: 0.7 },
            { name: other, share: 0.3 },
          ]
        : [{ name, share: 1 }],
  }));
  return { sample, label: name, image: picture(sample % 10, sample), count: DATA_FACTS.trainCount, draws };
}

/** A bell per checkpoint, narrower the later; the first checkpoint has no update. */
export function distribution(kind: Distribution['kind'], module: string, items: { step: number; before: number | null }[]): Distribution {
  const scale = { weight: 0.1, update: 0.01, gradient: 0.001 }[kind];
  const edges = Array.from({ length: 61 }, (_, i) => scale * (i / 10 - 3));
  const series = items.map(({ step, before }) => {
    if (kind === 'update' && before === null) return null;
    const std = scale * (0.5 + 250 / (step + 250));
    const counts = edges
      .slice(0, -1)
      .map((edge, i) => Math.round(36_864 * 0.06 * Math.exp(-((edge / std) ** 2) / 2) * (1 + 0.1 * noise(i, step, module.length))));
    return { counts, mean: 0, std, min: -3 * scale, max: 3 * scale, count: counts.reduce((sum, one) => sum + one, 0) };
  });
  return { kind, edges, series };
}

export function evaluate(run: ScriptedRun, checkpoint: 'last' | 'best' | number, classes: number) {
  const epoch = run.history.epochs.filter(({ step }) => step <= run.step).at(-1);
  if (!epoch) throw new PreloraError('not-found', 'There is no checkpoint yet; the first comes at step 250.');
  const names = Array.from({ length: classes });
  // A checkpoint named by its step is an earlier one, and knows less.
  const confused = typeof checkpoint === 'number' ? 36 : 24;
  const confusion = names.map((_, truth) => {
    const row = names.map((_, predicted) =>
      predicted === truth || predicted > 9 ? 0 : Math.round(Math.max(0, confused * noise(truth, predicted, 9))),
    );
    row[truth] = 1000 - row.reduce((sum, value) => sum + value, 0);
    return row;
  });
  const images = Array.from({ length: 60 }, (_, index) => ({
    index,
    truth: index % 10,
    predicted: (index * 7 + 3) % 10,
    loss: 4.8 - 0.07 * index,
  }));
  const correct = confusion.reduce((sum, row, index) => sum + (row[index] ?? 0), 0);
  const step = typeof checkpoint === 'number' ? checkpoint : epoch.step;
  return {
    step,
    valLoss: epoch.valLoss ?? 0,
    valTop1: correct / (1000 * classes),
    valTop5: epoch.valTop5 ?? 0,
    count: 1000 * classes,
    confusion,
    images,
  };
}
