/** From the text of `data.source` to an opened source: the shipped sample, the system's Fashion-MNIST, or a folder or files in a known layout. */
import { existsSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { referenceWords } from '../protocol/dataReference.ts';
import { PreloraError } from '../protocol/reply.ts';
import { looksLikeCifar, openCifar } from './cifar.ts';
import { openParquet } from './hfParquet.ts';
import { looksLikeIdx, openIdx } from './idx.ts';
import { openImageFolder } from './imageFolder.ts';
import { type DataSettings, type RawSource, type SourceFormat, throwIfAborted } from './rawSource.ts';
import { detectShards } from './shards.ts';
import { fileError } from './sharedFile.ts';
import { openWebDataset } from './webDataset.ts';

/** Where Debian's package dataset-fashion-mnist puts its files. */
const SYSTEM_FASHION_MNIST = '/usr/share/datasets/fashion-mnist';
const CIFAR_FOLDERS = ['cifar-10-batches-bin', 'cifar-100-binary'];
const FASHION_MNIST_CLASSES = ['T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat', 'Sandal', 'Shirt', 'Sneaker', 'Bag', 'Ankle boot'];

/** Opens `source` in the layout that `data.format` names or its files show. Throws the data codes of formats.md section 9. */
export async function readSource(source: string, data: DataSettings, signal?: AbortSignal): Promise<RawSource> {
  throwIfAborted(signal);
  const missing = referenceWords(source);
  if (missing !== null) {
    const cure = `name it again: "Name its data…" in the run's menu on the Runs screen, or prelora resume|eval DIR --data SOURCE`;
    throw new PreloraError('data-not-found', `the data of this run did not come with its bundle (${missing}); ${cure}`, 'data.source');
  }
  if (source === 'sample') return { ...(await openIdx(sampleFolder())), preset: 'fashion-mnist' };
  if (source === 'fashion-mnist') return openSystemFashionMnist();
  const root = path.resolve(source);
  const format = data.format === 'auto' ? await detectFormat(root) : data.format;
  if (format === 'webdataset') return openWebDataset(root, data, signal);
  if (format === 'parquet') return openParquet(root, data, signal);
  if (format === 'idx') return openIdx(root, data.transpose);
  if (format === 'folder') return openImageFolder(root, data, signal);
  return openCifar(cifarFolder(root), format, data.labelLevel);
}

/** Fashion-MNIST as the system's package manager installs it. Throws data-not-found with the way to get it. */
export async function openSystemFashionMnist(folder = SYSTEM_FASHION_MNIST): Promise<RawSource> {
  if (!existsSync(folder)) {
    const cure = 'install it with "apt-get install dataset-fashion-mnist", or give a folder that holds the four IDX files as data.source';
    throw new PreloraError('data-not-found', `${folder}: not found; ${cure}`, 'data.source');
  }
  return { ...(await openIdx(folder)), preset: 'fashion-mnist', classNames: [...FASHION_MNIST_CLASSES] };
}

async function detectFormat(root: string): Promise<SourceFormat> {
  const isFolder = statSync(root, { throwIfNoEntry: false })?.isDirectory() ?? false;
  const ofFiles = isFolder ? null : await detectShards(root);
  if (ofFiles) return ofFiles;
  const names = await namesIn(root);
  if (looksLikeIdx(names)) return 'idx';
  return looksLikeCifar(names) ?? looksLikeCifar(await namesIn(cifarFolder(root))) ?? (await detectShards(root)) ?? 'folder';
}

/** The archives of CIFAR unpack to a folder inside; either may be given. */
function cifarFolder(root: string): string {
  const inner = CIFAR_FOLDERS.map((name) => path.join(root, name)).find((folder) => existsSync(folder));
  return inner ?? root;
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    throw fileError(folder, error);
  });
}

/** resources/ lies beside main/ in the sources and beside dist/ in a build. */
function sampleFolder(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (folder !== path.dirname(folder)) {
    const candidate = path.join(folder, 'resources', 'sample-fashion-mnist');
    if (existsSync(candidate)) return candidate;
    folder = path.dirname(folder);
  }
  throw new PreloraError('data-not-found', 'resources/sample-fashion-mnist: not found; the installation is incomplete');
}
