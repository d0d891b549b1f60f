/**
 * Takes out of a text what says who somebody is or where their files lie: home, user and machine name, every path but the system's own, and
 * whatever people wrote themselves (notes, tags, names of classes). Equal paths get equal numbers, so that a report stays readable.
 */
import path from 'node:path';
import { ABSOLUTE_PATHS, replaceName } from '../../core/privateText.ts';

export interface Secrets {
  home: string;
  userName: string;
  hostName: string;
  /** Folders that are told by their purpose, longest first. */
  folders: readonly { folder: string; word: string }[];
}

export interface Mask {
  /** Prose and logs: paths end at a space or a quote. */
  text(text: string): string;
  /** Anything JSON can hold: a string that is a path is one as a whole, spaces and all. */
  value(value: unknown): unknown;
}

/** Keys under which people's own words stand, in configs, journals and statuses. */
const OWN_WORDS: ReadonlySet<string> = new Set(['note', 'text', 'tags', 'classNames']);
const SYSTEM_PATHS = ['/usr/', '/lib', '/proc/', '/sys/', '/etc/', '/bin/', '/dev/', '/run/'];

export function createMask({ home, userName, hostName, folders }: Secrets): Mask {
  const numbers = new Map<string, number>();
  const known = [...folders, ...(home.length > 1 ? [{ folder: home, word: '<home>' }] : [])];
  const numbered = (file: string): string => {
    if (SYSTEM_PATHS.some((prefix) => file.startsWith(prefix)) || file.length < 2) return file;
    const number = numbers.get(file) ?? numbers.size + 1;
    numbers.set(file, number);
    return `<path ${number}${path.extname(file)}>`;
  };
  const inKnownFolder = (file: string): string | null => {
    const place = known.find(({ folder }) => file === folder || file.startsWith(folder + path.sep));
    // Below home every name is somebody's own; what lies below the others, we named.
    if (!place || place.word === '<home>') return null;
    return place.word + file.slice(place.folder.length);
  };
  const withoutNames = (text: string): string => replaceName(replaceName(text, userName, '<user>'), hostName, '<host>');
  const maskPath = (file: string): string => withoutNames(inKnownFolder(file) ?? numbered(file));
  const mask: Mask = {
    text: (text) => withoutNames(text.replaceAll('file://', '').replace(ABSOLUTE_PATHS, maskPath)),
    value(value) {
      if (typeof value === 'string') return isPath(value) ? maskPath(value) : mask.text(value);
      if (Array.isArray(value)) return value.map(mask.value);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(
        Object.entries(value).map(([key, inner]) => [key, OWN_WORDS.has(key) ? ownWords(inner) : mask.value(inner)]),
      );
    },
  };
  return mask;
}

function isPath(text: string): boolean {
  return path.isAbsolute(text) || path.win32.isAbsolute(text);
}

function ownWords(value: unknown): unknown {
  if (typeof value === 'string') return value === '' ? '' : `<${value.length} characters>`;
  if (Array.isArray(value)) return value.length === 0 ? [] : `<${value.length} entries>`;
  return value;
}
