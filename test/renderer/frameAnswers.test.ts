import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { FrameAnswers } from '../../renderer/state/frameAnswers.ts';

let hidden = false;
let sent: number[] = [];
let answers: FrameAnswers;

beforeEach(() => {
  vi.useFakeTimers();
  hidden = false;
  sent = [];
  answers = new FrameAnswers(
    (sequence) => sent.push(sequence),
    () => hidden,
  );
});
afterEach(() => vi.useRealTimers());

it('answers at once while the page is seen', () => {
  for (const sequence of [1, 2, 3]) answers.took(sequence);
  expect(sent).toEqual([1, 2, 3]);
});

it('answers once a second while it is hidden, for all frames but the newest', () => {
  hidden = true;
  answers.took(1);
  answers.took(2);
  expect(sent).toEqual([]);
  vi.advanceTimersByTime(1000);
  expect(sent).toEqual([1]);
  answers.took(3);
  vi.advanceTimersByTime(999);
  expect(sent).toEqual([1]);
  vi.advanceTimersByTime(1);
  expect(sent).toEqual([1, 2]);
});

it('answers the newest too when its time comes and the page is seen again', () => {
  hidden = true;
  answers.took(4);
  hidden = false;
  vi.advanceTimersByTime(1000);
  expect(sent).toEqual([4]);
});

it('answers what is due when the page is seen again, and once only', () => {
  hidden = true;
  answers.took(7);
  hidden = false;
  answers.flush();
  vi.advanceTimersByTime(5000);
  expect(sent).toEqual([7]);
});
