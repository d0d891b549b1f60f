/** docs/ui-tests.md names tests that are there, and counts them rightly. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../../build/transpile.mjs';

const text = readFileSync(path.join(root, 'docs', 'ui-tests.md'), 'utf8');
/** A heading, its count, its table of clauses. */
const rows = text
  .split(/^## /m)
  .slice(1)
  .filter((section) => /^\d+ tests\.$/m.test(section));

function namedIn(section: string): { file: string; name: string }[] {
  return [...section.matchAll(/`(test\/[^`]+\.test\.ts)` › “([^”]+)”/g)].map(([, file = '', name = '']) => ({ file, name }));
}

it('every test that the document names is in its file', () => {
  const gone = namedIn(text).filter(({ file, name }) => {
    const whole = path.join(root, file);
    return !existsSync(whole) || !readFileSync(whole, 'utf8').includes(name);
  });
  expect(gone).toEqual([]);
});

it('every row says how many tests it names', () => {
  expect(rows.length).toBe(18);
  const said = rows.map((section) => Number(/^(\d+) tests\.$/m.exec(section)?.[1]));
  expect(said).toEqual(rows.map((section) => new Set(namedIn(section).map(({ file, name }) => `${file} ${name}`)).size));
});
