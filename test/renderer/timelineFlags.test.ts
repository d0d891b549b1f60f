/** The flags below the timeline: crowded events become one that counts, in the order of their steps. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { EventRecord } from '../../main/protocol/records.ts';
import { setLocale } from '../../renderer/format.ts';
import { timelineFlags } from '../../renderer/views/live/timelineFlags.ts';
import { spaced } from './spaced.ts';

beforeAll(() => setLocale('en-US'));

const event = (kind: string, step: number, detail: EventRecord['detail'] = {}): EventRecord => ({
  kind,
  step,
  segment: 0,
  time: '',
  by: 'user',
  detail,
});
const notes = (count: number, step: number) => Array.from({ length: count }, (_, i) => event('note', step, { text: String(i + 1) }));
const texts = (events: EventRecord[]): string[] => timelineFlags(events, 1000).map(({ text, step }) => `${text} at ${step}`);

describe('flags below the timeline', () => {
  it('are the marked events, alone by their letter', () => {
    expect(texts([event('started', 0), event('edited', 100), event('checkpoint', 200), event('switched', 300)])).toEqual([
      'E at 100',
      'S at 300',
    ]);
  });

  it('nearer than 2 % of the run become one that counts, past nine too', () => {
    expect(texts([...notes(12, 100), event('note', 119), event('note', 120)])).toEqual(['13 at 100', 'N at 120']);
  });

  it('of steps that were gone back to stand where they happened', () => {
    const undone = [event('switched', 400), event('frozen', 500), event('undone', 400), event('paused', 410), event('switched', 700)];
    expect(texts(undone)).toEqual(['3 at 400', 'F at 500', 'S at 700']);
  });

  it('tell of six events, and how many more there are', () => {
    const [flag] = timelineFlags(notes(1200, 100), 1000);
    const lines = spaced(flag?.words ?? '').split('\n');
    expect([lines[0], lines.length, lines.at(-1)]).toEqual(['step 100: Note: 1', 7, 'and 1,194 more']);
  });
});
