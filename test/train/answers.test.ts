import { expect, test } from 'vitest';
import { Answers } from '../../main/train/answers.ts';
import { scoreLogits } from '../../main/train/evaluate.ts';

test('mistakes come first by loss, right answers are the least certain of their class, and the confusion counts all', () => {
  const answers = new Answers(2);
  const logits = new Float32Array([2, 0, 0, 3, 1, 0, 0, 1]);
  answers.add(logits, { labels: Int32Array.of(0, 0, 1, 1), sampleIds: Uint32Array.of(10, 11, 12, 13) });
  expect(answers.confusion).toEqual([
    [1, 1],
    [1, 1],
  ]);
  const images = answers.images();
  expect(images.map(({ index }) => index)).toEqual([11, 12, 13, 10]);
  expect(images[0]).toMatchObject({ truth: 0, predicted: 1 });
  const total = images.reduce((sum, { loss }) => sum + loss, 0);
  expect(total).toBeCloseTo(scoreLogits(logits, Int32Array.of(0, 0, 1, 1)).loss, 6);
});

test('right answers are kept short, mistakes are kept', () => {
  const answers = new Answers(2);
  const count = 40;
  const logits = Float32Array.from({ length: 2 * count }, (_, i) => (i % 2 === 0 ? 1 + i / 100 : 0));
  answers.add(logits, { labels: new Int32Array(count).fill(0), sampleIds: Uint32Array.from({ length: count }, (_, i) => i) });
  answers.add(new Float32Array([0, 1]), { labels: Int32Array.of(0), sampleIds: Uint32Array.of(99) });
  const images = answers.images();
  expect(images).toHaveLength(1 + 12);
  expect(images[0]?.index).toBe(99);
  expect(images.slice(1).map(({ index }) => index)).toEqual(Array.from({ length: 12 }, (_, i) => i));
});
