/** `bundle.json`, the first member of a run bundle: whose run it is, and every other member with its size and SHA-256. formats.md section 12. */
import './jitless.ts';
import { z } from 'zod';

export const BUNDLE_VERSION = 1 as const;
export const BUNDLE_ENDING = '.prelora.zip';

/** Which checkpoints a bundle holds: none, the best one, or all of them. */
export const BundleWeights = z.enum(['none', 'best', 'all']);
export type BundleWeights = z.output<typeof BundleWeights>;

export const BundleManifest = z.looseObject({
  format: z.literal('prelora-bundle'),
  version: z.literal(BUNDLE_VERSION),
  runId: z.string().min(1).max(200),
  createdAt: z.string(),
  /** The program that wrote it, with its version. */
  app: z.string(),
  files: z.array(z.object({ name: z.string(), bytes: z.number().int().min(0), sha256: z.string().regex(/^[0-9a-f]{64}$/) })),
  weights: BundleWeights,
});
export type BundleManifest = z.output<typeof BundleManifest>;
export type BundledFile = BundleManifest['files'][number];
