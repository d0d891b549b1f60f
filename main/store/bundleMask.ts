/**
 * What a run's files lose on the way into a bundle: where its data lay, every other absolute path, and the user's name (formats.md section
 * 12). Nothing that figures depend on is touched: names of classes, fields and columns stay, and what holds nothing private keeps its bytes.
 */
import { homedir, userInfo } from 'node:os';
import path from 'node:path';
import { ABSOLUTE_PATHS, replaceName } from '../core/privateText.ts';
import type { ResolvedConfig } from '../protocol/config.ts';
import { type DataReference, referenceText } from '../protocol/dataReference.ts';
import { parseJson, toJson } from './json.ts';
import { isReference, memberOf, PATH_FIELDS, SHIPPED_SOURCES } from './namedData.ts';

/** Whose traces are taken out. */
export interface Person {
  home: string;
  userName: string;
}

export interface MaskedRun {
  runDir: string;
  config: ResolvedConfig;
  /** data-report.json, or null for runs of before there was one. */
  report: unknown;
  person?: Person;
}

export interface BundleMask {
  /** A file that is one JSON value; one that is none is masked as prose. */
  json(text: string): string;
  /** One line of a record file. */
  line(line: Buffer): Buffer;
}

/** Figures depend on these to the letter. */
const VERBATIM: ReadonlySet<string> = new Set(['classNames', 'splitKey', 'labelField', 'imageField']);
/** Words that somebody chose, be they one word or more; elsewhere a single word is the format's own. */
const CHOSEN_WORDS: ReadonlySet<string> = new Set(['name', 'tags', 'note', 'text', 'study', 'variant']);
/** Stands for a path of which nothing is known. */
const SOME_PATH = '<path>';

export function createBundleMask(run: MaskedRun): BundleMask {
  const person = run.person ?? thisPerson();
  const words = wordMask(run, person);
  const reference = (kind: string | null, file: string): DataReference => ({
    kind: kind ?? dataKind(run),
    name: words(lastPart(file), true),
    fingerprint: kind === null ? fingerprintOf(run.report) : null,
  });
  const referenceOf = (field: (typeof PATH_FIELDS)[number], value: unknown): unknown => {
    if (typeof value !== 'string' || SHIPPED_SOURCES.has(value) || isReference(value)) return value;
    return reference(field[0] === 'model' ? 'weights' : null, value);
  };
  const maskValue = (value: unknown, key: string): unknown => {
    if (VERBATIM.has(key)) return value;
    if (typeof value === 'string') return words(value, CHOSEN_WORDS.has(key));
    if (Array.isArray(value)) return value.map((item) => maskValue(item, key));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(withReferences(value)).map(([name, inner]) => [words(name, false), maskMember(inner, name)]));
  };
  const maskMember = (value: unknown, name: string): unknown => (isReference(value) ? value : maskValue(value, name));
  /** Of a config, a report of a data set, or a journal entry about start weights; other objects come back as they are. */
  const withReferences = (value: object): object => {
    const edited: Record<string, unknown> = { ...value };
    for (const field of PATH_FIELDS) {
      const [section, name] = field;
      const there = memberOf(edited, field);
      if (there !== undefined) edited[section] = { ...(edited[section] as object), [name]: referenceOf(field, there) };
    }
    if (isReport(edited)) edited.source = referenceOf(['data', 'source'], edited.source);
    if (edited.kind === 'start-weights') edited.detail = withoutOrigin(edited.detail);
    return edited;
  };
  const withoutOrigin = (detail: unknown): unknown => {
    const { from, ...rest } = (detail ?? {}) as { from?: unknown };
    return typeof from === 'string' ? { from: isReference(from) ? from : referenceText(reference('weights', from)), ...rest } : detail;
  };
  const mightTell = new RegExp(['[/\\\\]', ...(person.userName.length > 2 ? [escaped(person.userName)] : [])].join('|'), 'iu');
  return {
    json(text) {
      const value = parseJson(text);
      if (value === undefined) return words(text, true);
      const [before, after] = [toJson(value), toJson(maskValue(value, ''))];
      if (before === after) return text;
      return text.startsWith('{\n') ? `${toJson(JSON.parse(after), 2)}\n` : `${after}\n`;
    },
    line(line) {
      const text = line.toString('utf8');
      // Millions of lines hold numbers alone.
      if (!mightTell.test(text) && !text.includes('"start-weights"')) return line;
      const value = parseJson(text);
      if (value === undefined) return Buffer.from(words(text, true));
      const [before, after] = [toJson(value), toJson(maskValue(value, ''))];
      return before === after ? line : Buffer.from(after);
    },
  };
}

/** Accounts without an entry in the user list have no name. */
function thisPerson(): Person {
  try {
    return { home: homedir(), userName: userInfo().username };
  } catch {
    return { home: '', userName: '' };
  }
}

type WordMask = (text: string, isChosen: boolean) => string;

/** Known folders keep what lies below them, under a word; other paths go as a whole. */
function wordMask({ runDir, config }: MaskedRun, { home, userName }: Person): WordMask {
  const { source, valSource } = config.data;
  const folders = [
    { folder: path.resolve(runDir), word: '<run>' },
    ...[source, valSource, config.model.startFrom].filter(isPath).map((folder) => ({ folder: path.resolve(folder), word: '<data>' })),
  ].sort((a, b) => b.folder.length - a.folder.length);
  const known = folders.map(({ folder, word }) => ({ pattern: new RegExp(`${escaped(folder)}(?![\\p{L}\\p{N}_.-])`, 'gu'), word }));
  const ownHome = home.length > 1 ? new RegExp(`${escaped(home)}(?![\\p{L}\\p{N}_.-])[^\\s"'\`<>()[\\]{},;|]*`, 'gu') : null;
  return (text, isChosen) => {
    let masked = text.replaceAll('file://', '');
    for (const { pattern, word } of known) masked = masked.replace(pattern, word);
    if (ownHome) masked = masked.replace(ownHome, SOME_PATH);
    masked = isWholePath(masked) ? SOME_PATH : masked.replace(ABSOLUTE_PATHS, SOME_PATH);
    return isChosen || /\s/.test(text) ? replaceName(masked, userName, 'user') : masked;
  };
}

/** A path by itself, spaces and all; prose that begins with one has a colon and a space behind it. */
function isWholePath(text: string): boolean {
  return (path.isAbsolute(text) || path.win32.isAbsolute(text)) && !text.includes(': ');
}

function isPath(value: string | null): value is string {
  return value !== null && !SHIPPED_SOURCES.has(value) && !isReference(value);
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

/** A run made on Windows may be bundled elsewhere. */
function lastPart(file: string): string {
  return (
    file
      .replace(/[/\\]+$/, '')
      .split(/[/\\]/)
      .at(-1) ?? ''
  );
}

function isReport(value: object): boolean {
  return 'source' in value && 'classNames' in value && 'valOrigin' in value;
}

function dataKind({ config, report }: MaskedRun): string {
  const { format } = (report ?? {}) as { format?: unknown };
  return typeof format === 'string' ? format : config.data.format;
}

function fingerprintOf(report: unknown): string | null {
  const { fingerprint } = (report ?? {}) as { fingerprint?: unknown };
  return typeof fingerprint === 'string' ? fingerprint : null;
}
