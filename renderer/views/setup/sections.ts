/** The parts of the form for a new run, and which fields of the config stand in each. */
import { type FieldEntry, fieldTable } from '../../../main/protocol/fieldTable.ts';
import type { Draft } from '../../state/draft.svelte.ts';

export const SECTIONS = [
  { key: 'data', title: 'Data', prefixes: ['data.'] },
  { key: 'model', title: 'Model', prefixes: ['model.'] },
  { key: 'recipe', title: 'Recipe', prefixes: ['train.'] },
  { key: 'prelora', title: 'PreLoRA', prefixes: ['prelora.', 'control.'] },
  { key: 'run', title: 'Run', prefixes: ['name', 'engine.', 'logging.'] },
] as const;
export type SectionKey = (typeof SECTIONS)[number]['key'];
export type Detail = 'basic' | 'all';

/** The section of a field; undefined where a message belongs to none. */
export function sectionOf(path: string): SectionKey | undefined {
  return SECTIONS.find(({ prefixes }) => prefixes.some((prefix) => (prefix.endsWith('.') ? path.startsWith(prefix) : path === prefix)))
    ?.key;
}

const FIELDS = fieldTable().filter(({ path }) => path !== 'preset');

/** The fields that hold every word, wherever they stand. */
export function foundFields(words: readonly string[]): FieldEntry[] {
  return FIELDS.filter(({ path, title, help }) => {
    const text = `${path} ${title} ${help}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** The fields of a section: all, or those that most runs change and those that this draft changes or that stand in its way. */
export function fieldsOf(section: SectionKey, detail: Detail, draft: Draft): FieldEntry[] {
  const isShown = ({ path, basic }: FieldEntry): boolean =>
    detail === 'all' || basic === true || path === 'name' || draft.messageOf(path) !== '' || draft.isChanged(path);
  return FIELDS.filter((field) => sectionOf(field.path) === section && isShown(field));
}
