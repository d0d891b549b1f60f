import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parseConfig } from '../../main/core/resolveConfig.ts';
import { formatYaml, parseConfigText, readConfigFile } from '../../main/store/configFile.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { tinyRunConfig } from './tinyRun.ts';

const fixtures = path.join(import.meta.dirname, '../fixtures/yaml');

test.each([
  ['config.json', '{"train":{"epochs":2}}'],
  ['config.yaml', 'train: { epochs: 2 }'],
  ['config.YML', 'train:\n  epochs: 2 # short\n'],
  ['config', '  {"train":{"epochs":2}}'],
  ['config', 'train: { epochs: 2 }'],
])('%s is read by its extension, else by its first character', async (name, text) => {
  const file = path.join(temporaryFolder(), name);
  writeFileSync(file, text);
  expect(await readConfigFile(file)).toEqual({ train: { epochs: 2 } });
});

test('a file that is not there is not found', async () => {
  await expect(readConfigFile('/nowhere/config.yaml')).rejects.toMatchObject({
    code: 'not-found',
    message: '/nowhere/config.yaml: not found',
  });
});

test('YAML is read as 1.2 core: no, on and 017 are what they look like', () => {
  expect(parseConfigText('a: no\nb: on\nc: 017\nd: 1e-7\n', 'x.yaml')).toEqual({ a: 'no', b: 'on', c: 17, d: 1e-7 });
});

const aliasBomb = [
  'a: &a [x, x, x, x, x, x, x, x, x]',
  ...[...'bcdefghij'].map((letter, index) => `${letter}: &${letter} [${Array(9).fill(`*${'abcdefghi'[index]}`)}]`),
];

test.each([
  ['a tag', 'a: !!str 5', 'x.yaml: tag tag:yaml.org,2002:str is not allowed in a config'],
  ['a tag of code', 'a: !!js/function "x"', 'x.yaml: Unresolved tag'],
  ['the same key twice', 'a: 1\na: 2', 'x.yaml: Map keys must be unique at line 2'],
  ['two documents', 'a: 1\n---\nb: 2', 'x.yaml: holds more than one document'],
  ['broken YAML', 'a: [', 'x.yaml: Flow sequence'],
  ['a list', '- 1', 'x.yaml: holds no fields'],
  ['nothing', '', 'x.yaml: holds no fields'],
  ['an alias of nothing', 'a: *b', 'x.yaml: Unresolved alias'],
  ['a bomb of aliases', aliasBomb.join('\n'), 'x.yaml: Excessive alias count'],
  ['too many aliases', `a: &a 1\nb: [${Array(101).fill('*a')}]`, 'x.yaml: 101 aliases, at most 100 are allowed'],
  ['a file of another kind', 'x'.repeat(1_000_001), 'x.yaml: is over 1000000 characters, no config is that long'],
])('%s is refused with the file and the rule', (_, text, message) => {
  expect(() => parseConfigText(text, 'x.yaml')).toThrow(message);
});

test('broken JSON is refused with the file and the place', () => {
  expect(() => parseConfigText('{"a":}', 'x.json')).toThrow(/^x\.json: Unexpected token/);
});

test('written YAML is what PyYAML reads as the same values', () => {
  const values = JSON.parse(readFileSync(path.join(fixtures, 'traps.json'), 'utf8')) as object;
  expect(formatYaml(values)).toBe(readFileSync(path.join(fixtures, 'traps.yaml'), 'utf8'));
});

test('a whole config written as YAML is read back unchanged', () => {
  expect(parseConfig(parseConfigText(formatYaml(tinyRunConfig), 'x.yaml'))).toEqual(tinyRunConfig);
});
