import type { Plugin } from 'vite';

export interface Licence {
  name: string;
  version: string;
  /** SPDX expression. */
  licence: string;
  /** Whole text, where the package carries one. */
  text: string;
}
export function runtimePackages(): string[];
export function packagesOfModules(moduleIds: readonly string[]): string[];
export function listLicences(folders: readonly string[]): Licence[];
export function licencesPlugin(): Plugin;
