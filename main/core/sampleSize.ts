/**
 * How many of the shipped pictures *Run the sample* trains on, so that the whole run ends in two to five minutes on the engine at hand
 * (product.md section 1, J1). The model and the length in epochs stay: with fewer pictures an epoch has fewer steps, and all three phases
 * are still passed through.
 */
export interface SampleSize {
  maxTrain: number;
  maxVal: number;
}

/** Largest first; the first is the preset's own. */
export const SAMPLE_SIZES: readonly SampleSize[] = [
  { maxTrain: 12_000, maxVal: 2000 },
  { maxTrain: 6000, maxVal: 1000 },
  { maxTrain: 3000, maxVal: 500 },
  { maxTrain: 1500, maxVal: 250 },
];

/** Leaves a minute of the five for a machine that is busier later than while it was measured. */
const LIMIT_SECONDS = 240;
/** Forward alone, against forward, backward and update. */
const EVALUATION_SHARE = 1 / 3;

/** The largest size that is trained within the limit, else the smallest. `imagesPerSecond` is measured in phase full. */
export function sampleSize(imagesPerSecond: number, epochs: number): SampleSize {
  const seconds = ({ maxTrain, maxVal }: SampleSize): number => (epochs * (maxTrain + EVALUATION_SHARE * maxVal)) / imagesPerSecond;
  return SAMPLE_SIZES.find((size) => seconds(size) <= LIMIT_SECONDS) ?? (SAMPLE_SIZES.at(-1) as SampleSize);
}
