/**
 * The licences of what the program is made of, for Settings → Licences: the packages it loads at run time, those bundled into the page, and what
 * comes with it that is no package. Read from node_modules when the page is built; nothing is listed by hand that a manifest can tell.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './transpile.mjs';

const TEXT_FILE = /^(licen[cs]e|copying|notice)([.-].*)?$/i;

/** What is no npm package: the runtime, the engine that is fetched, the sample data. */
const BESIDE_PACKAGES = [
  { name: 'Electron', version: '', licence: 'MIT', text: 'Chromium and its parts: LICENSES.chromium.html beside the installed program.' },
  {
    name: 'TensorFlow',
    version: '',
    licence: 'Apache-2.0',
    text: 'The native engine, fetched once into the user data folder; its licence is in the wheel it comes from.',
  },
];

/** Folders of the packages that run outside the page, from the lockfile. */
export function runtimePackages() {
  const { packages } = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8'));
  return Object.entries(packages)
    .filter(([folder, { dev }]) => folder.startsWith('node_modules/') && !dev && existsSync(path.join(root, folder)))
    .map(([folder]) => folder);
}

/** Folders, below the root, of the packages that the modules of a bundle come from. */
export function packagesOfModules(moduleIds) {
  const folders = moduleIds.map(
    (id) => /^.*?\/(node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+)\//.exec(id.replaceAll('\\', '/'))?.[1],
  );
  return [...new Set(folders.filter((folder) => folder !== undefined))];
}

/** One entry per package and version, by name: `{ name, version, licence, text }`. Throws for a package that names no licence. */
export function listLicences(folders) {
  const own = { name: 'PreLoRA Workbench', version: '', licence: 'MIT', text: readFileSync(path.join(root, 'LICENSE'), 'utf8') };
  const sample = readFileSync(path.join(root, 'resources', 'licences', 'fashion-mnist.txt'), 'utf8');
  const entries = [...new Set(folders)].map(describePackage);
  const unique = new Map(entries.map((entry) => [`${entry.name}@${entry.version}`, entry]));
  const sorted = [...unique.values()].sort((a, b) => a.name.localeCompare(b.name, 'en'));
  return [own, ...BESIDE_PACKAGES, { name: 'Fashion-MNIST (sample data)', version: '', licence: 'MIT', text: sample }, ...sorted];
}

function describePackage(folder) {
  const full = path.join(root, folder);
  const { name, version, license } = JSON.parse(readFileSync(path.join(full, 'package.json'), 'utf8'));
  const texts = readdirSync(full)
    .filter((file) => TEXT_FILE.test(file))
    .map((file) => readFileSync(path.join(full, file), 'utf8').trim());
  const licence = typeof license === 'string' ? license : (license?.type ?? licenceOfText(texts[0] ?? ''));
  if (!licence) throw new Error(`${folder} names no licence, neither in package.json nor in a text that is known`);
  return { name, version, licence, text: texts.join('\n\n') };
}

/** For manifests that forget the field. */
function licenceOfText(text) {
  return /^(the )?mit license/i.test(text) ? 'MIT' : null;
}

/** A Vite plugin: licences.json beside the page, which the page fetches when it is asked for. */
export function licencesPlugin() {
  return {
    name: 'licences',
    generateBundle() {
      const folders = [...runtimePackages(), ...packagesOfModules([...this.getModuleIds()])];
      this.emitFile({ type: 'asset', fileName: 'licences.json', source: JSON.stringify(listLicences(folders)) });
    },
  };
}
