/** What the schema found wrong, as one message that names field, value and rule: `train.lr 3: must be at most 1`. */
import type { RunConfig } from '../protocol/config.ts';
import { fieldTable, findField, rangeText } from '../protocol/fieldTable.ts';
import { PreloraError } from '../protocol/reply.ts';
import { nearestName } from './nearestName.ts';

type Issue = NonNullable<ReturnType<typeof RunConfig.safeParse>['error']>['issues'][number];

/** More faults than this are only counted. */
const SHOWN = 5;
const VALUE_LENGTH = 60;

/** One `bad-config` error for all issues; its field is the first one's. */
export function configError(issues: readonly Issue[], config: unknown): PreloraError {
  const faults = issues.flatMap((issue) => faultsOf(issue, [], config));
  const more = faults.length > SHOWN ? `; and ${faults.length - SHOWN} more` : '';
  const message =
    faults
      .slice(0, SHOWN)
      .map(({ text }) => text)
      .join('; ') + more;
  return new PreloraError('bad-config', message, faults[0]?.field);
}

interface Fault {
  field: string;
  text: string;
}

function faultsOf(issue: Issue, above: readonly PropertyKey[], config: unknown): Fault[] {
  const path = [...above, ...issue.path];
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(path, key));
  if (issue.code === 'invalid_union') {
    const branch = issue.errors.find((errors) => errors.length > 0 && errors.every(isAboutContent));
    if (branch) return branch.flatMap((inner) => faultsOf(inner as Issue, path, config));
  }
  const field = path.map(String).join('.');
  return [{ field, text: `${field === '' ? 'config' : field}${valueText(config, path)}: ${ruleOf(issue, field)}` }];
}

/** The value has the branch's type and something inside it is wrong; not a branch of another type. */
function isAboutContent({ code, path }: { code?: string; path: readonly PropertyKey[] }): boolean {
  return path.length > 0 || (code !== 'invalid_type' && code !== 'invalid_value');
}

function unknownKey(path: readonly PropertyKey[], key: string): Fault {
  const field = [...path.map(String), key].join('.');
  const known = fieldTable().map((entry) => entry.path);
  const siblings = known.filter((name) => name.startsWith(path.length > 0 ? `${path.map(String).join('.')}.` : ''));
  const sections = [...new Set(known.map((name) => name.split('.')[0] as string))];
  // In this section, then a section, then the same last word in any section (`lr` for `train.lr`).
  const meant =
    nearestName(field, siblings) ??
    (path.length === 0 ? nearestName(key, sections) : null) ??
    known.find((name) => name.endsWith(`.${key}`)) ??
    null;
  return { field, text: `${field}: unknown field${meant ? `; did you mean ${meant}?` : ''}` };
}

function ruleOf(issue: Issue, field: string): string {
  const entry = findField(field);
  switch (issue.code) {
    case 'too_small':
      return `must be ${issue.inclusive ? 'at least' : 'greater than'} ${issue.minimum}${countWord(issue.origin)}`;
    case 'too_big':
      return `must be ${issue.inclusive ? 'at most' : 'less than'} ${issue.maximum}${countWord(issue.origin)}`;
    case 'invalid_value':
      return `must be ${issue.values.length === 1 ? '' : 'one of '}${issue.values.join(', ')}${field.startsWith('prelora.alsoFreeze') ? ' (the head always trains)' : ''}`;
    case 'invalid_type':
      return `must be ${typeWord(issue.expected)}`;
    case 'invalid_union':
      return entry ? `must be ${rangeText(entry)}` : 'is not one of the allowed forms';
    default:
      return issue.message;
  }
}

function countWord(origin: string): string {
  if (origin === 'array') return ' long';
  return origin === 'string' ? ' characters long' : '';
}

function typeWord(expected: string): string {
  const words: Record<string, string> = {
    int: 'a whole number',
    number: 'a finite number',
    string: 'text',
    boolean: 'true or false',
    array: 'a list',
    object: 'a group of fields',
    record: 'a map from names to values',
  };
  return words[expected] ?? expected;
}

/** The offending value as ` 3`, shortened; nothing for whole sections. */
function valueText(config: unknown, path: readonly PropertyKey[]): string {
  let value = config;
  for (const key of path) value = (value as Record<PropertyKey, unknown> | null | undefined)?.[key];
  if (value === undefined) return ' (missing)';
  const text = typeof value === 'number' || typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? typeof value);
  return ` ${text.length > VALUE_LENGTH ? `${text.slice(0, VALUE_LENGTH)}…` : text}`;
}
