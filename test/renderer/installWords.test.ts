import { expect, test } from 'vitest';
import { installWords, repairWords } from '../../renderer/installWords.ts';

const fresh = { version: '2.21.0', isNew: true, withoutKernels: null };
const there = { ...fresh, isNew: false };

test('an engine that was fetched is installed; one that stood there got its kernels', () => {
  expect(installWords(fresh, 'cpu')).toBe('TensorFlow 2.21.0 is installed. New runs use it.');
  expect(installWords(there, 'cpu')).toBe('The compute kernels for this processor are compiled. New runs use them.');
  expect(installWords(there, 'gpu')).toBe('TensorFlow 2.21.0 was installed already.');
});

test('kernels that are not there have a reason, and a GPU needs none', () => {
  expect(installWords({ ...fresh, withoutKernels: 'no compiler' }, 'cpu')).toContain('without our compute kernels: no compiler.');
  expect(installWords({ ...there, withoutKernels: 'no compiler' }, 'cpu')).toMatch(/are not there: no compiler\..*take longer/);
  expect(installWords({ ...fresh, withoutKernels: 'they are for CPUs' }, 'gpu')).toBe(installWords(fresh, 'gpu'));
});

test('a repair says whether anything was damaged, and what is still missing', () => {
  expect(repairWords(fresh, 'gpu')).toBe('It was damaged: TensorFlow 2.21.0 is installed. New runs use it.');
  expect(repairWords(there, 'cpu')).toBe('Every file of TensorFlow 2.21.0 is what was installed: there was nothing to repair.');
  expect(repairWords({ ...there, withoutKernels: 'no compiler' }, 'cpu')).toMatch(
    /nothing to repair\. The compute kernels are not there: no compiler/,
  );
  expect(repairWords({ ...there, withoutKernels: 'they are for CPUs' }, 'gpu')).toBe(repairWords(there, 'gpu'));
});
