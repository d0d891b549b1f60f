/**
 * Names of many files in one text, as WebDataset and shells write them: `{000..099}` counts, `{a,b}` lists, `*` and `?` stand for parts of
 * a name. Counted and listed files must all be there, which is how a missing shard is noticed; stars take what there is.
 */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { PreloraError } from '../protocol/reply.ts';
import { byCodePoint } from './codePointOrder.ts';
import { fileError } from './sharedFile.ts';

const BRACES = /\{([^{}]*(?:,|\.\.)[^{}]*)\}/;
const WILD = /[*?]/;
/** More shards than any data set has; a slip of the finger must not fill the memory. */
const MOST_FILES = 1_000_000;

export function isPattern(text: string): boolean {
  return WILD.test(text) || BRACES.test(text);
}

/** The files a pattern stands for, absolute; a name that really exists is taken as it is. Throws data-not-found and data-unreadable. */
export async function filesOfPattern(pattern: string): Promise<string[]> {
  const absolute = path.resolve(pattern);
  if (existsSync(absolute)) return [absolute];
  const files: string[] = [];
  for (const name of expandBraces(absolute)) {
    if (WILD.test(name)) files.push(...(await matching(name)));
    else if (existsSync(name)) files.push(name);
    else throw notFound(name);
  }
  if (files.length === 0) throw notFound(absolute);
  return [...new Set(files)];
}

/**
 * `a{1..3}b{x,y}` → a1bx, a1by, a2bx …; numbers keep the width they are written with. Braces within braces are opened first, so that a name may
 * come twice. Throws bad-config when there are too many.
 */
export function expandBraces(text: string): string[] {
  const match = BRACES.exec(text);
  if (!match) return [text];
  const [whole, inside] = match as unknown as [string, string];
  const after = text.slice(match.index + whole.length);
  const names: string[] = [];
  for (const choice of choicesOf(inside)) {
    for (const name of expandBraces(text.slice(0, match.index) + choice + after)) names.push(name);
    if (names.length > MOST_FILES) throw tooMany(text);
  }
  return names;
}

function choicesOf(inside: string): string[] {
  const range = /^(\d+)\.\.(\d+)$/.exec(inside);
  if (!range) return inside.split(',');
  const [, first, last] = range as unknown as [string, string, string];
  const [from, to] = [Number(first), Number(last)];
  if (Math.abs(to - from) >= MOST_FILES) throw tooMany(`{${inside}}`);
  const width = [first, last].some((text) => text.length > 1 && text.startsWith('0')) ? Math.max(first.length, last.length) : 0;
  const step = from <= to ? 1 : -1;
  return Array.from({ length: Math.abs(to - from) + 1 }, (_, i) => String(from + i * step).padStart(width, '0'));
}

/** Folder by folder, so that stars may stand in the names of folders too. */
async function matching(pattern: string): Promise<string[]> {
  const { root } = path.parse(pattern);
  let found = [root];
  for (const part of pattern.slice(root.length).split(path.sep)) {
    if (!WILD.test(part)) {
      found = found.map((folder) => path.join(folder, part)).filter((file) => existsSync(file));
      continue;
    }
    const wanted = expressionOf(part);
    const next: string[] = [];
    for (const folder of found) for (const name of await namesIn(folder)) if (wanted.test(name)) next.push(path.join(folder, name));
    found = next;
  }
  return found;
}

/** Hidden files want to be named with their dot, as in a shell. */
function expressionOf(part: string): RegExp {
  const literal = part.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${/^[*?]/.test(part) ? '(?!\\.)' : ''}${literal.replace(/\*/g, '.*').replace(/\?/g, '.')}$`, 'su');
}

async function namesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOTDIR' || error.code === 'ENOENT') return []; // a file, or gone since its name was read
    throw fileError(folder, error);
  });
  return names.sort(byCodePoint);
}

function notFound(file: string): PreloraError {
  return new PreloraError('data-not-found', `${file}: not found`, 'data.source');
}

function tooMany(text: string): PreloraError {
  return new PreloraError('bad-config', `data.source ${text} names more than ${MOST_FILES.toLocaleString('en')} files`, 'data.source');
}
