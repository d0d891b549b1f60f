/** The config a run trains with now: the one it was created with, and the journal's live edits applied in order (reliability.md R5). */
import type { ResolvedConfig } from '../protocol/config.ts';
import type { EventRecord } from '../protocol/records.ts';

/** `events` are the live ones, oldest first. */
export function currentConfig(created: ResolvedConfig, events: readonly EventRecord[]): ResolvedConfig {
  const config = structuredClone(created);
  for (const { kind, detail } of events) {
    if (kind === 'edited' && typeof detail.field === 'string') setField(config, detail.field, detail.to);
    if (kind === 'undone') config.prelora.switching = 'manual';
  }
  return config;
}

/** Puts a value at `section.name` or `name`, in place. Fields lie at most one group deep; what names no field of a config is passed over. */
export function setField(config: ResolvedConfig, field: string, value: unknown): void {
  const [section, name] = field.split('.', 2) as [string, string | undefined];
  if (!Object.hasOwn(config, section)) return;
  if (name === undefined) {
    Object.assign(config, { [section]: value });
    return;
  }
  const group = (config as unknown as Record<string, unknown>)[section];
  if (typeof group === 'object' && group !== null && Object.hasOwn(group, name)) Object.assign(group, { [name]: value });
}
