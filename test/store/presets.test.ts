import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { resolveConfig } from '../../main/core/resolveConfig.ts';
import { listPresets, type PresetFolders, readPreset, removeTemplate, saveTemplate } from '../../main/store/presets.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

function folders(): PresetFolders {
  const folder = temporaryFolder();
  writeFileSync(path.join(folder, 'smoke.yaml'), '# Seconds on any backend;\n# shows all phases.\ntrain: { epochs: 2 }\n# not this\n');
  writeFileSync(path.join(folder, 'bare.yaml'), 'train: { epochs: 3 }\n');
  writeFileSync(path.join(folder, 'notes.txt'), 'no preset');
  return { shipped: folder, own: path.join(folder, 'own') };
}

test('presets are the YAML files, by name, described by their first comment', async () => {
  expect(await listPresets(folders())).toEqual([
    { name: 'bare', description: '', isOwn: false, config: { train: { epochs: 3 } } },
    { name: 'smoke', description: 'Seconds on any backend; shows all phases.', isOwn: false, config: { train: { epochs: 2 } } },
  ]);
});

test.each(['paper', '../smoke', 'smoke.yaml', ''])('"%s" is no preset, and the message names those there are', async (name) => {
  const reading = readPreset(name, folders());
  await expect(reading).rejects.toMatchObject({ code: 'not-found', message: `no preset "${name}"; there are bare, smoke` });
});

test('a template of one’s own is kept beside the shipped ones, under a name that none of them has, and can go again', async () => {
  const places = folders();
  await saveTemplate('mine', { train: { epochs: 7 } }, places);
  await saveTemplate('mine', { train: { epochs: 8 } }, places);
  expect(await readPreset('mine', places)).toMatchObject({ isOwn: true, config: { train: { epochs: 8 } } });
  expect((await listPresets(places)).map(({ name }) => name)).toEqual(['bare', 'smoke', 'mine']);
  for (const name of ['smoke', '../mine', 'a b', '']) {
    await expect(saveTemplate(name, {}, places)).rejects.toMatchObject({ code: 'bad-arguments', field: 'name' });
  }
  await expect(removeTemplate('smoke', places)).rejects.toMatchObject({ code: 'not-found' });
  await removeTemplate('mine', places);
  expect((await listPresets(places)).map(({ name }) => name)).toEqual(['bare', 'smoke']);
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
