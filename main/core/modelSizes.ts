/** The named model sizes, and a model config with its geometry filled in (method.md section 2). */
import type { RunConfig } from '../protocol/config.ts';
import { PreloraError } from '../protocol/reply.ts';

type ModelSettings = RunConfig['model'];
type Geometry = 'embedDim' | 'depth' | 'numHeads' | 'patchSize';
type SizeName = Exclude<ModelSettings['size'], 'custom'>;

const MODEL_GEOMETRY: Readonly<Record<SizeName, Readonly<Record<Geometry, number>>>> = {
  tiny: { embedDim: 192, depth: 12, numHeads: 3, patchSize: 16 },
  small: { embedDim: 384, depth: 12, numHeads: 6, patchSize: 16 },
  base: { embedDim: 768, depth: 12, numHeads: 12, patchSize: 16 },
  large: { embedDim: 1024, depth: 24, numHeads: 16, patchSize: 16 },
  huge: { embedDim: 1280, depth: 32, numHeads: 16, patchSize: 14 },
};

const CUSTOM_PATCH_SIZE = 16;

/** A model config whose geometry has no null left; numClasses and inChannels may still wait for the data. */
export type SizedModel = Omit<ModelSettings, Geometry> & Record<Geometry, number>;

/** A config whose model has its geometry filled in. */
export type SizedConfig = Omit<RunConfig, 'model'> & { model: SizedModel };

/** Fills what the size decides; a value given by hand wins. Throws `bad-config` for `custom` with something missing, or a bad divisor. */
export function resolveModel(model: ModelSettings): SizedModel {
  const preset: Partial<Record<Geometry, number>> = model.size === 'custom' ? { patchSize: CUSTOM_PATCH_SIZE } : MODEL_GEOMETRY[model.size];
  const pick = (field: Geometry): number => {
    const value = model[field] ?? preset[field];
    if (value !== undefined) return value;
    throw new PreloraError('bad-config', `model.${field}: must be given when model.size is custom`, `model.${field}`);
  };
  const sized = {
    ...model,
    patchSize: pick('patchSize'),
    embedDim: pick('embedDim'),
    depth: pick('depth'),
    numHeads: pick('numHeads'),
  };
  checkDivides('model', 'patchSize', sized.patchSize, 'imageSize', sized.imageSize);
  checkDivides('model', 'numHeads', sized.numHeads, 'embedDim', sized.embedDim);
  return sized;
}

/** Throws `bad-config` naming the divisors that would do: `patchSize 5 does not divide imageSize 32; use 1, 2, 4, 8, 16 or 32`. */
export function checkDivides(section: string, field: string, divisor: number, ofField: string, value: number): void {
  if (value % divisor === 0) return;
  const divisors = Array.from({ length: value }, (_, index) => index + 1).filter((candidate) => value % candidate === 0);
  const near = divisors
    .sort((a, b) => Math.abs(a - divisor) - Math.abs(b - divisor))
    .slice(0, 6)
    .sort((a, b) => a - b);
  const choices = near.length === 1 ? `${near[0]}` : `${near.slice(0, -1).join(', ')} or ${near.at(-1)}`;
  throw new PreloraError('bad-config', `${field} ${divisor} does not divide ${ofField} ${value}; use ${choices}`, `${section}.${field}`);
}
