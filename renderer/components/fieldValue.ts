/** Between a config value and the text of its field. Nothing is judged here: the engine checks, its message stands at the field. */
import type { FieldEntry } from '../../main/protocol/fieldTable.ts';
import { formatCount } from '../format.ts';

export function showField(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (Array.isArray(value)) return value.join(', ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** The typed text as a value of the field's type; what does not fit stays text, and the check says why. */
export function parseField(field: FieldEntry, text: string): unknown {
  const typed = text.trim();
  if (typed === '') return field.nullable ? null : field.type === 'list' ? [] : field.type === 'map' ? {} : typed;
  if (field.words?.includes(typed) === true) return typed;
  switch (field.type) {
    case 'integer':
    case 'number':
    case 'duration': {
      const number = Number(typed.replace(',', '.'));
      return Number.isFinite(number) ? number : typed;
    }
    case 'list':
      return typed.split(/[\s,]+/).map((part) => (field.choices || !Number.isFinite(Number(part)) ? part : Number(part)));
    case 'map':
      try {
        return JSON.parse(typed) as unknown;
      } catch {
        return typed;
      }
    default:
      return typed;
  }
}

/** `8 … 1024`, or the shape of a duration; empty where the control itself shows the choices. */
export function rangeWords({ type, min, max, aboveMin, choices, words }: FieldEntry): string {
  const extra = words ? ` or ${words.join(', ')}` : '';
  if (type === 'duration') return 'steps, or epochs as “2ep”';
  if (type === 'list' && choices) return `any of ${choices.join(', ')}${extra}`;
  if (type !== 'integer' && type !== 'number') return extra.trim();
  if (min === undefined && max === undefined) return '';
  return `${aboveMin ? 'above ' : ''}${bound(min)}\u00a0…\u00a0${bound(max)}${extra}`;
}

/** Grouped from five digits on; a small bound as it is written in a config. */
function bound(value: number | undefined): string {
  if (value === undefined) return '';
  return Math.abs(value) >= 10_000 ? formatCount(value) : String(value);
}
