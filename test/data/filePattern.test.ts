/** Names of many files in one text: what braces stand for, by example and as a property. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expandBraces, isPattern } from '../../main/data/filePattern.ts';
import { splitOfShard } from '../../main/data/splitNames.ts';

describe('braces', () => {
  it.each([
    ['a.tar', ['a.tar']],
    ['a-{0..3}.tar', ['a-0.tar', 'a-1.tar', 'a-2.tar', 'a-3.tar']],
    ['{08..11}', ['08', '09', '10', '11']],
    ['{2..0}', ['2', '1', '0']],
    ['{a,b}-{1..2}', ['a-1', 'a-2', 'b-1', 'b-2']],
    ['x{a,}', ['xa', 'x']],
    ['{a-{0..1},b}', ['a-0', 'b', 'a-1', 'b']],
    ['{kept}.tar', ['{kept}.tar']],
  ])('%s', (text, names) => {
    expect(expandBraces(text)).toEqual(names);
  });

  it('of any two counts give every name once, in order, as wide as written', () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(300), fc.integer({ min: 3, max: 6 }), (a, b, width) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        const written = [from, to].map((n) => String(n).padStart(width, '0'));
        const names = expandBraces(`s-{${written.join('..')}}.tar`);
        const numbers = names.map((name) => Number(/\d+/.exec(name)?.[0]));
        expect(numbers).toEqual(Array.from({ length: to - from + 1 }, (_, i) => from + i));
        expect([names[0], names.at(-1)]).toEqual(written.map((number) => `s-${number}.tar`));
        expect(isPattern(`s-{${written.join('..')}}.tar`)).toBe(true);
      }),
    );
  });
});

it.each([
  ['imagenet-train-000.tar', 'train'],
  ['val000001.tar', 'val'],
  ['cats_VALIDATION_3.tar.gz', 'val'],
  ['data/test-00000-of-00001.parquet', 'test'],
  ['default/train/0000.parquet', 'train'],
  ['dev/0001.tar', 'val'],
  ['test-tubes-train-1.tar', 'train'],
  ['latest.tar', 'train'],
  ['value/contest.tar', 'train'],
  ['__proto__.tar', 'train'],
])('the split of %s is %s', (name, split) => {
  expect(splitOfShard(name)).toBe(split);
});
