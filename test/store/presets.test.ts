import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { resolveConfig } from '../../main/core/resolveConfig.ts';
import { listPresets, readPreset } from '../../main/store/presets.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

function presetFolder(): string {
  const folder = temporaryFolder();
  writeFileSync(path.join(folder, 'smoke.yaml'), '# Seconds on any backend;\n# shows all phases.\ntrain: { epochs: 2 }\n# not this\n');
  writeFileSync(path.join(folder, 'bare.yaml'), 'train: { epochs: 3 }\n');
  writeFileSync(path.join(folder, 'notes.txt'), 'no preset');
  return folder;
}

test('presets are the YAML files, by name, described by their first comment', async () => {
  expect(await listPresets(presetFolder())).toEqual([
    { name: 'bare', description: '', config: { train: { epochs: 3 } } },
    { name: 'smoke', description: 'Seconds on any backend; shows all phases.', config: { train: { epochs: 2 } } },
  ]);
});

test.each(['paper', '../smoke', 'smoke.yaml', ''])('"%s" is no preset, and the message names those there are', async (name) => {
  const reading = readPreset(name, presetFolder());
  await expect(reading).rejects.toMatchObject({ code: 'not-found', message: `no preset "${name}"; there are bare, smoke` });
});

test('every shipped preset is described and is a config', async () => {
  const presets = await listPresets();
  expect(presets.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['smoke', 'sample', 'fashion-mnist', 'cifar10', 'paper-vit-large']),
  );
  for (const { name, description, config } of presets) {
    expect(description.length, name).toBeGreaterThan(20);
    expect(() => resolveConfig({ preset: { name, values: config } }), name).not.toThrow();
  }
});
