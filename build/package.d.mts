import type { createRequire } from 'node:module';

export interface PackageOptions {
  /** The unpacked program alone, no installers. */
  dir?: boolean;
  /** An Electron binary to pack round; else electron-builder downloads the version that package.json names. */
  electron?: string;
  /** Default dist/package. */
  output?: string;
}
export function packagingTools(): ReturnType<typeof createRequire> | null;
export function makePackage(options?: PackageOptions): Promise<string[]>;
export function unpackedFolder(output: string): string;
