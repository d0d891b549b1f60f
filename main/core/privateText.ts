/** What tells of people in a text: absolute paths, and the names of users and machines. For reports and bundles, which leave the machine. */

/** Names that say nothing about anybody. */
const PLAIN_NAMES: ReadonlySet<string> = new Set(['', 'root', 'user', 'node', 'admin', 'localhost']);

/**
 * An absolute path inside a sentence: from a slash or a drive letter to the next space, quote or bracket. The slashes of an address such as
 * https:// begin none, nor does one inside a word or behind a mask.
 */
export const ABSOLUTE_PATHS = /(?<![\w./\\<>~-]|:(?=\/\/))(?:\/|[A-Za-z]:[\\/]|\\\\)[^\s"'`<>()[\]{},;|]*[^\s"'`<>()[\]{},;|.:]/g;

/** `text` with a name replaced wherever it stands by itself, in whatever case. Names of two letters, and plain ones, stay. */
export function replaceName(text: string, name: string, word: string): string {
  if (PLAIN_NAMES.has(name.toLowerCase()) || name.length < 3) return text;
  const escaped = name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return text.replace(new RegExp(`(?<![\\p{L}\\p{N}])${escaped}(?![\\p{L}\\p{N}])`, 'giu'), word);
}
