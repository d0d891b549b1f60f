/** Requests for scores and single predictions: between two steps of a live run, else by a checkpoint in a trainer made for it. */
import { openDataset } from '../data/dataset.ts';
import { encodePng, fileUrl, pictureUrl } from '../data/picture.ts';
import { decodeSample, preprocessImage } from '../data/showImage.ts';
import type { ResolvedConfig } from '../protocol/config.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { EvaluationScores } from '../protocol/results.ts';
import type { EvaluationSums } from '../train/evaluate.ts';
import { THUMBNAIL_PX } from './dataHandlers.ts';
import type { EngineHost } from './engineHost.ts';
import type { EngineHandlers } from './handlers.ts';
import { mergedFolder } from './mergeCheckpoint.ts';
import { readRunFiles } from './runReading.ts';
import { whilePaused } from './whilePaused.ts';

/** Probabilities shown; the rest is noise on a page. */
const SHOWN_CLASSES = 10;

export function scoreHandlers(host: EngineHost): Pick<EngineHandlers, 'evaluate' | 'run:merge' | 'predict' | 'data:images'> {
  return {
    async evaluate({ runId, checkpoint }) {
      const live = host.liveRun(runId);
      if (live && checkpoint === 'last') return presentScores((await live.command({ kind: 'evaluate' })) as LiveScores);
      const dir = await host.catalog.find(runId);
      const { config } = await readRunFiles(runId, dir);
      return whilePaused(host, runId, () =>
        host.runJob(config.engine, (client) => client.request('evaluateCheckpoint', { dir, checkpoint }), { beside: runId }),
      );
    },
    async 'run:merge'({ runId, checkpoint }) {
      const dir = await host.catalog.find(runId);
      const { config } = await readRunFiles(runId, dir);
      const folder = mergedFolder(dir);
      return whilePaused(host, runId, () =>
        host.runJob(config.engine, (client) => client.request('mergeCheckpoint', { dir, checkpoint, folder }), { beside: runId }),
      );
    },
    async 'data:images'({ runId, indices }) {
      const { config } = await readRunFiles(runId, await host.catalog.find(runId));
      const dataset = await openDataset(config.data, { channels: config.model.inChannels });
      const shown = indices.map(async (index) => {
        const sample = await decodeSample(dataset, 'val', index).catch(() => null);
        return sample && { index, image: await pictureUrl(sample.image, THUMBNAIL_PX), path: sample.path };
      });
      return (await Promise.all(shown)).filter((image) => image !== null);
    },
    async predict({ runId, sample, imageBase64 }) {
      const dir = await host.catalog.find(runId);
      const { config } = await readRunFiles(runId, dir);
      const picture = await pictureOf(config, sample, imageBase64);
      const patches = await preprocessImage(picture.bytes, config);
      const { probabilities, step } = await classify(host, { runId, dir, config }, patches);
      const classes = probabilities.map((probability, c) => ({ name: picture.classNames[c] ?? `class ${c}`, probability }));
      classes.sort((a, b) => b.probability - a.probability);
      return { classes: classes.slice(0, SHOWN_CLASSES), truth: picture.truth, image: picture.shown, step };
    },
  };
}

type LiveScores = EvaluationSums & Pick<EvaluationScores, 'step' | 'confusion' | 'images'>;

function presentScores({ step, loss, top1, top5, count, confusion, images }: LiveScores): EvaluationScores {
  return { step, valLoss: loss / count, valTop1: top1 / count, valTop5: top5 / count, count, confusion, images };
}

async function classify(
  host: EngineHost,
  { runId, dir, config }: { runId: string; dir: string; config: ResolvedConfig },
  patches: Float32Array,
): Promise<{ probabilities: number[]; step: number }> {
  const live = host.liveRun(runId);
  if (live) return (await live.command({ kind: 'predict', patches })) as { probabilities: number[]; step: number };
  return host.runJob(config.engine, (client) => client.request('predictCheckpoint', { dir, checkpoint: 'last', patches }));
}

interface Picture {
  /** An encoded image file. */
  bytes: Uint8Array;
  /** As a data URL for the page. */
  shown: string;
  truth: string | null;
  classNames: readonly string[];
}

/** The validation sample or the uploaded file; exactly one of the two is asked for. */
async function pictureOf(config: ResolvedConfig, sample: number | undefined, imageBase64: string | undefined): Promise<Picture> {
  if ((sample === undefined) === (imageBase64 === undefined)) {
    throw new PreloraError('bad-arguments', 'predict: give either sample or imageBase64', 'sample');
  }
  const dataset = await openDataset(config.data, { channels: config.model.inChannels });
  const { classNames } = dataset;
  if (sample !== undefined) {
    const shown = await decodeSample(dataset, 'val', sample);
    // Without loss, so that a stored sample is preprocessed from the very same pixels.
    return { bytes: await encodePng(shown.image), shown: await pictureUrl(shown.image, THUMBNAIL_PX), truth: shown.className, classNames };
  }
  const bytes = Buffer.from(imageBase64 as string, 'base64');
  return { bytes, shown: await fileUrl(bytes, THUMBNAIL_PX), truth: null, classNames };
}
