/**
 * How many of the shipped pictures *Run the sample* trains on, so that the whole run ends in two to five minutes on the engine at hand
 * (product.md section 1, J1), and what fewer pictures ask of the recipe: model, epochs and τ stay. Smaller batches keep the steps of an epoch,
 * which is the snapshot interval, near the preset's; the ramps stay a third of an epoch; and the loss, over fewer pictures, falls by larger
 * shares between snapshots. Seen with four seeds at each size: the switch comes in epochs 4 to 7 of 12, after changes that grew smaller.
 */
export interface SampleSize {
  data: { maxTrain: number; maxVal: number };
  train?: { batchSize: number; lrWarmupSteps: number; lr?: number };
  prelora?: { zeta: number; lrRampSteps: number };
}

/** Largest first; the first is the preset's own. */
export const SAMPLE_SIZES: readonly SampleSize[] = [
  { data: { maxTrain: 12_000, maxVal: 2000 } },
  { data: { maxTrain: 6000, maxVal: 1000 }, train: { batchSize: 32, lrWarmupSteps: 60 }, prelora: { zeta: 8, lrRampSteps: 60 } },
  // At the preset's rate norms moved by 0.3 to 0.6 %, with one random seed of four more at the switch than at first.
  { data: { maxTrain: 3000, maxVal: 500 }, train: { batchSize: 32, lrWarmupSteps: 30, lr: 0.002 }, prelora: { zeta: 8, lrRampSteps: 30 } },
  { data: { maxTrain: 1500, maxVal: 250 }, train: { batchSize: 32, lrWarmupSteps: 15 }, prelora: { zeta: 8, lrRampSteps: 15 } },
];

/** Leaves a minute of the five for a machine that is busier later than while it was measured. */
const LIMIT_SECONDS = 240;
/** Forward alone, against forward, backward and update. */
const EVALUATION_SHARE = 1 / 3;

/** The largest size that is trained within the limit, else the smallest. `imagesPerSecond` is measured in phase full. */
export function sampleSize(imagesPerSecond: number, epochs: number): SampleSize {
  const seconds = ({ data }: SampleSize): number => (epochs * (data.maxTrain + EVALUATION_SHARE * data.maxVal)) / imagesPerSecond;
  return SAMPLE_SIZES.find((size) => seconds(size) <= LIMIT_SECONDS) ?? (SAMPLE_SIZES.at(-1) as SampleSize);
}
