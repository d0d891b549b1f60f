/**
 * Walks a folder of images, one folder per class: `root/{split}/{class}/**` or flat `root/{class}/**` (formats.md section 9; the
 * layout of torchvision's ImageFolder and of the Hugging Face imagefolder builder). Links are followed once per real path, so loops
 * end.
 */
import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { byCodePoint } from './codePointOrder.ts';
import { type SkippedImage, type SplitName, throwIfAborted } from './rawSource.ts';
import { fileError } from './sharedFile.ts';
import { splitCalled } from './splitNames.ts';

const IMAGE_NAME = /\.(jpe?g|png|webp|tiff?|gif)$/i;
const IGNORED = /^(\..*|__MACOSX|Thumbs\.db)$/i;

export interface FoundImage {
  split: SplitName;
  className: string;
  /** Relative to the root, with `/`. */
  path: string;
}

export interface FoundImages {
  /** By split, then class, then path, each in code-point order. */
  images: FoundImage[];
  /** Class folders of each split, also empty ones. */
  classes: Map<SplitName, string[]>;
  /** Links that lead nowhere. */
  skipped: SkippedImage[];
}

interface Entry {
  name: string;
  isFolder: boolean;
}

/** Throws data-not-found and data-unreadable for folders that cannot be listed, interrupted when the signal fires. */
export async function findImages(root: string, signal?: AbortSignal): Promise<FoundImages> {
  const walk = new Walk(root, signal);
  const folders = (await walk.list('')).filter(({ isFolder }) => isFolder).map(({ name }) => name);
  const isSplit = folders.length > 0 && folders.every((name) => splitCalled(name) !== null);
  if (!isSplit) await walk.collectClasses('', 'train', folders);
  for (const name of isSplit ? folders : []) {
    const inside = (await walk.list(name)).filter(({ isFolder }) => isFolder);
    const classes = inside.map((entry) => entry.name);
    await walk.collectClasses(name, splitCalled(name) as SplitName, classes);
  }
  return walk.found;
}

class Walk {
  readonly found: FoundImages = { images: [], classes: new Map(), skipped: [] };
  private readonly followed = new Set<string>();

  constructor(
    private readonly root: string,
    private readonly signal: AbortSignal | undefined,
  ) {}

  async collectClasses(parent: string, split: SplitName, classes: string[]): Promise<void> {
    this.found.classes.set(split, [...(this.found.classes.get(split) ?? []), ...classes]);
    for (const className of classes) await this.collect(path.posix.join(parent, className), split, className);
  }

  /** What a folder holds and is not to be ignored, links resolved, in code-point order. */
  async list(folder: string): Promise<Entry[]> {
    throwIfAborted(this.signal);
    const absolute = path.join(this.root, folder);
    const entries = await readdir(absolute, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
      throw fileError(absolute, error);
    });
    const wanted = entries.filter(({ name }) => !IGNORED.test(name)).sort((a, b) => byCodePoint(a.name, b.name));
    const listed: Entry[] = [];
    for (const entry of wanted) {
      const kind = entry.isSymbolicLink() ? await this.follow(folder, entry) : kindOf(entry);
      if (kind) listed.push({ name: entry.name, isFolder: kind === 'folder' });
    }
    return listed;
  }

  private async collect(folder: string, split: SplitName, className: string): Promise<void> {
    for (const { name, isFolder } of await this.list(folder)) {
      const inside = path.posix.join(folder, name);
      if (isFolder) await this.collect(inside, split, className);
      else if (IMAGE_NAME.test(name)) this.found.images.push({ split, className, path: inside });
    }
  }

  /** What a link leads to; null when it leads nowhere, into a folder it lies in, or where another link has led already. */
  private async follow(folder: string, entry: Dirent): Promise<'folder' | 'file' | null> {
    const link = path.join(this.root, folder, entry.name);
    try {
      const target = await realpath(link);
      const home = await realpath(path.dirname(link));
      if (this.followed.has(target) || home === target || home.startsWith(target + path.sep)) return null;
      this.followed.add(target);
      return kindOf(await stat(target));
    } catch (error) {
      const reason = `link that leads nowhere (${(error as NodeJS.ErrnoException).code})`;
      if (IMAGE_NAME.test(entry.name)) this.found.skipped.push({ path: path.posix.join(folder, entry.name), reason });
      return null;
    }
  }
}

function kindOf(entry: { isDirectory(): boolean; isFile(): boolean }): 'folder' | 'file' | null {
  if (entry.isDirectory()) return 'folder';
  return entry.isFile() ? 'file' : null;
}
