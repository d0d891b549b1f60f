/**
 * Config files in JSON or YAML, told apart by extension, else by the first character (formats.md section 11). Reading gives plain
 * values; core/resolveConfig.ts checks version and fields. Writing YAML avoids what Python's readers, which follow YAML 1.1,
 * would take for something else.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Document, isAlias, parseDocument, type ScalarTag, type Tags, visit } from 'yaml';
import { PreloraError } from '../protocol/reply.ts';
import { systemCode } from './diskFault.ts';

/** Enough for shared defaults, too few for a bomb of nested aliases. */
const MAX_ALIASES = 100;
/** A config has a few hundred short fields; what is larger is some other file. */
const MAX_BYTES = 1_000_000;

/** Reads a config file as plain values. Throws `not-found`, or `bad-config` with file, place and rule. */
export async function readConfigFile(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') throw new PreloraError('not-found', `${file}: not found`);
    throw new PreloraError('bad-config', `${file}: cannot be read (${systemCode(error)})`);
  });
  return parseConfigText(text, file);
}

/** Parses the text of a config file. `file` names it in messages, and its extension tells the format. */
export function parseConfigText(text: string, file: string): unknown {
  if (text.length > MAX_BYTES) throw new PreloraError('bad-config', `${file}: is over ${MAX_BYTES} characters, no config is that long`);
  const value = isJson(text, file) ? parseJson(text, file) : parseYaml(text, file);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new PreloraError('bad-config', `${file}: holds no fields; a config looks like "train: { epochs: 10 }"`);
  }
  return value;
}

function isJson(text: string, file: string): boolean {
  const extension = path.extname(file).toLowerCase();
  if (extension === '.json') return true;
  if (extension === '.yaml' || extension === '.yml') return false;
  return /^\s*\{/.test(text);
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new PreloraError('bad-config', `${file}: ${error instanceof Error ? error.message : 'is not JSON'}`);
  }
}

/** YAML 1.2 core: `no` and `on` are text, there are no tags and no merge keys, and aliases are limited. */
function parseYaml(text: string, file: string): unknown {
  const document = parseDocument(text, { version: '1.2', schema: 'core', merge: false, prettyErrors: true });
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem?.code === 'MULTIPLE_DOCS') throw new PreloraError('bad-config', `${file}: holds more than one document`);
  if (problem) throw new PreloraError('bad-config', `${file}: ${problem.message.split('\n')[0]?.replace(/:$/, '')}`);
  let aliases = 0;
  visit(document, {
    Node: (_, node) => {
      if (isAlias(node)) aliases++;
      else if (node.tag) throw new PreloraError('bad-config', `${file}: tag ${node.tag} is not allowed in a config`);
    },
  });
  if (aliases > MAX_ALIASES) throw new PreloraError('bad-config', `${file}: ${aliases} aliases, at most ${MAX_ALIASES} are allowed`);
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    throw new PreloraError('bad-config', `${file}: ${error instanceof Error ? error.message : 'cannot be expanded'}`);
  }
}

const MERGE_TAG = 'tag:yaml.org,2002:merge';

/** PyYAML takes `1e-7` for text: an exponent needs a point before it. JavaScript prints none for whole mantissas. */
const exponentWithPoint: ScalarTag = {
  tag: 'tag:yaml.org,2002:float',
  default: true,
  identify: (value) => typeof value === 'number' && /^-?\d+e/.test(String(value)),
  // Never parsed with; the stringifier prefers a tag that has a test among those that identify a value.
  test: /^-?\d+\.0e[-+]\d+$/,
  resolve: Number,
  stringify: ({ value }) => String(value).replace('e', '.0e'),
};

/** A config as YAML that YAML 1.1 and 1.2 readers take alike: every text is quoted, so that none is taken for a boolean or a time. */
export function formatYaml(config: object): string {
  // Without the merge tag, which would write the text `<<` unquoted.
  const customTags = (tags: Tags): Tags => [exponentWithPoint, ...tags.filter((tag) => typeof tag === 'string' || tag.tag !== MERGE_TAG)];
  const document = new Document(config, { version: '1.1', customTags, aliasDuplicateObjects: false });
  return document.toString({ lineWidth: 0, directives: false, defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN' });
}
