/**
 * What other people's libraries make of our folders, in their own process: skipped where they are not installed. With PRELORA_GOLDEN=write
 * the golden of exportFolders.test.ts is written from what they said. transformers, PEFT and timm do not fail by themselves when names are
 * wrong, so empty lists of missing names are part of it.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ExportSource } from '../../main/exchange/exportSource.ts';
import { timmAdapters } from '../../main/exchange/timmAdapter.ts';
import { writeContent } from '../../main/exchange/writeContent.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { GOLDEN, relativeError } from '../support/tolerance.ts';
import { startBackend } from '../train/backendUnderTest.ts';
import { allFolders, exportedModel, exportInputs, GOLDEN_FILE, ourLogits } from './exportedModel.ts';

const PYTHON = process.env.PRELORA_PEER_PYTHON ?? '/opt/peer/bin/python';
const SCRIPT = fileURLToPath(new URL('../reference/load_export.py', import.meta.url));
const KINDS = ['hf', 'peft', 'merged', 'timm', 'peft-freeze', 'peft-timm'] as const;

interface Loaded {
  logits: number[][];
  warnings: string[];
  missing_keys?: string[];
  unexpected_keys?: string[];
  mismatched_keys?: string[];
  labels?: string[];
  ranks?: Record<string, [rank: number, alpha: number]>;
  /** Modules that PEFT took from the adapter whole. */
  saved?: string[];
}

/** Of the golden model's linear layers. */
const UNADAPTED = 3;

function withoutPrefix(name: string): string {
  return name.replace(/^base_model\.model\./, '');
}

function load(folder: string, source: ExportSource): Record<(typeof KINDS)[number], Loaded> {
  const places = KINDS.map((kind) => `${kind}=${path.join(folder, kind === 'merged' ? 'peft' : kind)}`);
  const input = JSON.stringify(exportInputs(source.config.model));
  return JSON.parse(execFileSync(PYTHON, [SCRIPT, ...places], { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'ignore'] }));
}

describe.skipIf(!existsSync(PYTHON))('transformers, PEFT and timm', { timeout: 120_000 }, () => {
  beforeAll(() => startBackend('cpu'));

  it.each([
    ['the golden model', {}],
    ['gray images, no bias, one head', { inChannels: 1, qkvBias: false, numHeads: 1 }],
  ] as const)('load every folder whole and compute our logits: %s', async (name, changes) => {
    const source = exportedModel(changes);
    const folder = temporaryFolder();
    const files = await writeContent(folder, allFolders(source));
    const wanted = ourLogits(source.merged, source.config.model);
    const loaded = load(folder, source);
    for (const kind of KINDS) {
      const {
        logits,
        warnings,
        missing_keys: missing = [],
        unexpected_keys: unexpected = [],
        mismatched_keys: mismatched = [],
      } = loaded[kind];
      expect({ kind, warnings, missing, unexpected, mismatched }).toEqual({
        kind,
        warnings: [],
        missing: [],
        unexpected: [],
        mismatched: [],
      });
      expect(relativeError(wanted, logits.flat()), kind).toBeLessThan(GOLDEN);
    }
    expect(loaded.hf.labels).toEqual(source.classes);
    const asked = { peft: source.adapters, 'peft-freeze': source.adapters, 'peft-timm': timmAdapters(source.adapters) };
    for (const [kind, adapters] of Object.entries(asked)) {
      const ranks = Object.values(loaded[kind as keyof typeof asked].ranks ?? {}).map(String);
      expect(ranks.sort(), kind).toEqual([...adapters.values()].map(({ rank, alpha }) => `${rank},${alpha}`).sort());
    }
    expect(Object.keys(loaded['peft-timm'].ranks ?? {}).every((name) => timmAdapters(source.adapters).has(withoutPrefix(name)))).toBe(true);
    expect(loaded['peft-freeze'].saved?.length).toBe(3 + 2 * source.config.model.depth + UNADAPTED);
    if (process.env.PRELORA_GOLDEN === 'write' && Object.keys(changes).length === 0) {
      const sums = Object.fromEntries(files.map((file) => [file.name, file.sha256]));
      const logits = Object.fromEntries(KINDS.map((kind) => [kind, loaded[kind].logits]));
      writeFileSync(GOLDEN_FILE, `${JSON.stringify({ of: name, files: sums, logits }, null, 1)}\n`);
    }
  });
});
