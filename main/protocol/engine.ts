/** What an installed compute engine says about itself: engine.json in its folder, written last, so that a folder with one is whole. */
import './jitless.ts';
import { z } from 'zod';

export const EngineVariant = z.enum(['cpu', 'gpu']);
export type EngineVariant = z.output<typeof EngineVariant>;

export const EngineManifest = z.looseObject({
  format: z.literal(1),
  variant: EngineVariant,
  /** Version of the TensorFlow library, as the library itself reports it. */
  version: z.string(),
  /** `process.platform`-`process.arch` it was built for. */
  platform: z.string(),
  /** In words: which road, which file. */
  source: z.string(),
  /** Compiled here from tfjs-node's binding sources, or tfjs-node's own binary. */
  addon: z.enum(['compiled', 'prebuilt']),
  /** Path inside the engine folder → size and checksum. */
  files: z.record(z.string(), z.object({ bytes: z.number().int().nonnegative(), sha256: z.string().regex(/^[0-9a-f]{64}$/) })),
  installedAt: z.string(),
});
export type EngineManifest = z.output<typeof EngineManifest>;
