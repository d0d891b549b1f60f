/**
 * Every config field as a row: path, type, range, default, unit, label, help. Read off the schema's own JSON Schema, so that the form,
 * `prelora config schema`, the docs and the messages of the CLI cannot disagree with what is checked.
 */
import type { FieldMeta } from './config/field.ts';
import { RunConfig } from './config.ts';

export type FieldType = 'boolean' | 'integer' | 'number' | 'text' | 'choice' | 'duration' | 'list' | 'map';

export interface FieldEntry extends FieldMeta {
  /** Config path, such as `train.lr`. */
  path: string;
  type: FieldType;
  default: unknown;
  /** May be null: decided when the run is created. */
  nullable: boolean;
  min?: number;
  max?: number;
  /** The value must lie above `min`, not on it. */
  aboveMin?: boolean;
  /** Values of a choice; for a list, of its items. */
  choices?: readonly string[];
  /** Words allowed in place of a value of this type, such as "matched". */
  words?: readonly string[];
}

/** The part of JSON Schema that our schema uses. */
interface SchemaNode extends Partial<FieldMeta> {
  type?: string | string[];
  properties?: Record<string, SchemaNode>;
  anyOf?: SchemaNode[];
  items?: SchemaNode;
  enum?: string[];
  const?: unknown;
  pattern?: string;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
}

let table: readonly FieldEntry[] | null = null;

/** All fields in schema order. */
export function fieldTable(): readonly FieldEntry[] {
  table ??= entriesOf(RunConfig.toJSONSchema({ io: 'input' }) as SchemaNode, '');
  return table;
}

/** The field at a path or the one a deeper path lies in (`prelora.rankOverrides.blocks.0.attn.q`); null when there is none. */
export function findField(path: string): FieldEntry | null {
  return fieldTable().find((entry) => path === entry.path || path.startsWith(`${entry.path}.`)) ?? null;
}

/** Type and range in words: `a whole number from 8 to 1024`, `one of auto, manual, off`. */
export function rangeText(entry: FieldEntry): string {
  return [...(entry.words ?? []).map((word) => `"${word}"`), plainRange(entry)].join(' or ');
}

function plainRange({ type, choices, min, max, aboveMin }: FieldEntry): string {
  switch (type) {
    case 'boolean':
      return 'true or false';
    case 'choice':
      return `one of ${choices?.join(', ')}`;
    case 'duration':
      return 'a whole number of steps or text such as "2ep"';
    case 'list':
      return choices ? `a list of ${choices.join(', ')}` : 'a list';
    case 'map':
      return 'a map from module name to rank';
    case 'text':
      return 'text';
    default: {
      const from = min === undefined ? '' : aboveMin ? ` above ${min}` : ` from ${min}`;
      return `${type === 'integer' ? 'a whole number' : 'a number'}${from}${max === undefined ? '' : ` to ${max}`}`;
    }
  }
}

function entriesOf(node: SchemaNode, prefix: string): FieldEntry[] {
  return Object.entries(node.properties ?? {}).flatMap(([key, child]) => {
    if (child.properties) return entriesOf(child, `${prefix}${key}.`);
    // schemaVersion alone has no help: it is the program's to write.
    return child.help === undefined ? [] : [entryOf(`${prefix}${key}`, child)];
  });
}

function entryOf(path: string, node: SchemaNode): FieldEntry {
  const parts = flatten(node);
  const words = parts.flatMap((part) => (typeof part.const === 'string' ? [part.const] : []));
  const main =
    parts.find((part) => part.pattern !== undefined) ?? parts.find((part) => part.const === undefined && part.type !== 'null') ?? node;
  return {
    path,
    type: typeOf(main),
    title: node.title ?? path,
    help: node.help ?? '',
    unit: node.unit,
    basic: node.basic,
    default: node.default,
    nullable: parts.some((part) => part.type === 'null'),
    ...limitsOf(main),
    ...(words.length > 0 ? { words } : {}),
  };
}

/** The alternatives of a node, `null` among them. */
function flatten(node: SchemaNode): SchemaNode[] {
  if (node.anyOf) return node.anyOf.flatMap(flatten);
  if (Array.isArray(node.type)) return node.type.map((type) => ({ ...node, type }));
  return [node];
}

function typeOf(node: SchemaNode): FieldType {
  if (node.pattern !== undefined) return 'duration';
  if (node.enum) return 'choice';
  if (node.type === 'boolean' || node.type === 'integer' || node.type === 'number') return node.type;
  if (node.type === 'array') return 'list';
  return node.type === 'object' ? 'map' : 'text';
}

function limitsOf(node: SchemaNode): Pick<FieldEntry, 'min' | 'max' | 'aboveMin' | 'choices'> {
  const choices = node.enum ?? node.items?.enum;
  const min = node.exclusiveMinimum ?? node.minimum;
  // JSON Schema states the largest safe integer for whole numbers without a limit.
  const max = node.maximum === Number.MAX_SAFE_INTEGER ? undefined : node.maximum;
  return {
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    ...(node.exclusiveMinimum === undefined ? {} : { aboveMin: true }),
    ...(choices ? { choices } : {}),
  };
}
