/**
 * `--set path=value` from the command line. The value is read by the field's type: numbers, true and false (on and off too), text as
 * it stands, lists as `[q, k]`, maps as `{blocks.0.attn.q: 8}`; JSON works everywhere.
 */

import { type FieldEntry, findField } from '../protocol/fieldTable.ts';
import { PreloraError } from '../protocol/reply.ts';

export interface SetArgument {
  /** Keys from the outside in; a map's key stays whole, dots and all. */
  path: string[];
  value: unknown;
}

/** Throws `bad-arguments` when there is no path or no `=`. Whether path and value fit is the schema's to say. */
export function parseSet(argument: string): SetArgument {
  const equals = argument.indexOf('=');
  const name = argument.slice(0, equals).trim();
  if (equals < 1 || name === '') {
    throw new PreloraError('bad-arguments', `--set ${argument}: must look like train.lr=3e-4`, 'set');
  }
  const text = argument.slice(equals + 1).trim();
  const field = findField(name);
  if (!field || field.path === name) return { path: name.split('.'), value: readValue(text, field) };
  const key = name.slice(field.path.length + 1);
  const path = field.type === 'map' ? [...field.path.split('.'), key] : name.split('.');
  return { path, value: readScalar(text) };
}

function readValue(text: string, field: FieldEntry | null): unknown {
  if (!field) return text.startsWith('[') || text.startsWith('{') ? readFlow(text) : readScalar(text);
  if (field.nullable && (text === 'null' || text === '')) return null;
  if (field.type === 'text' || field.type === 'choice') return unquoted(text);
  if (field.type === 'boolean' && /^(on|yes)$/i.test(text)) return true;
  if (field.type === 'boolean' && /^(off|no)$/i.test(text)) return false;
  if (text.startsWith('[') || text.startsWith('{')) return readFlow(text);
  // A list may go without its brackets: `q,k`; some words stand for a whole list.
  if (field.type === 'list' && !field.words?.includes(text)) return text.split(',').map(readScalar);
  return readScalar(text);
}

/** YAML 1.2 core scalars. */
function readScalar(text: string): unknown {
  const trimmed = text.trim();
  if (trimmed === 'null' || trimmed === '~') return null;
  if (trimmed === 'true') return true;
  if (trimmed === 'false') return false;
  if (/^[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?$/i.test(trimmed)) return Number(trimmed);
  return unquoted(trimmed);
}

function unquoted(text: string): string {
  const match = /^"(.*)"$|^'(.*)'$/s.exec(text);
  return match ? (match[1] ?? match[2] ?? '') : text;
}

/** JSON, or the flow form of YAML one level deep. What is neither stays text, for the schema to refuse. */
function readFlow(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const inside = /^\[(.*)\]$|^\{(.*)\}$/s.exec(text);
    if (!inside) return text;
    const parts = (inside[1] ?? inside[2] ?? '').split(',').filter((part) => part.trim() !== '');
    if (inside[1] !== undefined) return parts.map(readScalar);
    return Object.fromEntries(parts.map(readPair));
  }
}

function readPair(part: string): [string, unknown] {
  const colon = part.lastIndexOf(':');
  return colon < 0 ? [part.trim(), null] : [unquoted(part.slice(0, colon).trim()), readScalar(part.slice(colon + 1))];
}
