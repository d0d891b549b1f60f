/**
 * The runs below the data root, found by id: folders with a config.json. What a user adds to a finished run (name, tags, note) lies beside
 * it in annotations.json.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { PreloraError } from '../protocol/reply.ts';
import { StudyMembership } from '../protocol/study.ts';
import { writeJsonAtomically } from '../store/atomicFile.ts';
import { exists } from '../store/exists.ts';
import { freeName } from '../store/freeName.ts';
import { ANNOTATIONS_FILE, listRunFolders } from '../store/runFolder.ts';
import { readRunId } from '../store/runId.ts';
import { runFolderName } from '../store/runName.ts';
import { RunTrash } from './runTrash.ts';

const Annotations = z.looseObject({
  /** Replaces the name the run was started with. */
  name: z.string().nullable().default(null),
  tags: z.array(z.string()).default([]),
  note: z.string().default(''),
  archived: z.boolean().default(false),
  /** The study it belongs to. */
  study: StudyMembership.nullable().default(null),
});
export type Annotations = z.output<typeof Annotations>;

export class RunCatalog {
  /** Run id → folder, as last seen. */
  readonly #dirs = new Map<string, string>();

  readonly trash: RunTrash;

  /** `now` is in ms since the epoch. */
  constructor(
    readonly root: string,
    now?: () => number,
  ) {
    this.trash = new RunTrash(path.dirname(root), now);
  }

  /** All run folders with their ids. A second folder with an id that is taken (a copy) goes by its folder name. */
  async list(): Promise<{ runId: string; dir: string }[]> {
    const found = new Map<string, string>();
    for (const dir of await listRunFolders(this.root)) {
      const id = await readRunId(dir);
      found.set(found.has(id) ? path.basename(dir) : id, dir);
    }
    this.#dirs.clear();
    for (const [runId, dir] of found) this.#dirs.set(runId, dir);
    return [...found].map(([runId, dir]) => ({ runId, dir }));
  }

  /** The folder of a run. Throws `not-found`. */
  async find(runId: string): Promise<string> {
    const known = this.#dirs.get(runId);
    if (known && (await exists(known))) return known;
    const found = (await this.list()).find((run) => run.runId === runId);
    if (found) return found.dir;
    throw new PreloraError('not-found', `run ${runId}: no such run below ${this.root}`, 'runId');
  }

  /** A path for a new run of that name; nothing is created. */
  newFolder(name: string): Promise<string> {
    return freeName(this.root, runFolderName(name));
  }

  /** Ids that a run has, or would have again once it comes back from the trash. */
  async takenIds(): Promise<Set<string>> {
    const [runs, trashed] = await Promise.all([this.list(), this.trash.list()]);
    return new Set([...runs, ...trashed].map(({ runId }) => runId));
  }

  async annotate(runId: string, changes: Partial<Annotations>): Promise<void> {
    await annotateRun(await this.find(runId), changes);
  }

  /** Throws `busy` while some process writes the run. */
  async moveToTrash(runId: string): Promise<void> {
    await this.trash.put(await this.find(runId), runId);
    this.#dirs.delete(runId);
  }

  /** The one that came last, where there are several of that id. Throws `not-found`, or `busy` while some process writes it. */
  async restoreFromTrash(runId: string): Promise<void> {
    const found = (await this.trash.list()).find((run) => run.runId === runId);
    if (!found) throw new PreloraError('not-found', `run ${runId}: not in the trash (${this.trash.root})`, 'runId');
    await this.trash.takeOut(found, this.root);
  }
}

/** Changes what is noted beside the run in `dir`. */
export async function annotateRun(dir: string, changes: Partial<Annotations>): Promise<void> {
  await writeJsonAtomically(path.join(dir, ANNOTATIONS_FILE), { ...(await readAnnotations(dir)), ...changes });
}

/** What is noted beside the run in `dir`; nothing where the file is missing or spoilt. */
export async function readAnnotations(dir: string): Promise<Annotations> {
  const text = await readFile(path.join(dir, ANNOTATIONS_FILE), 'utf8').catch(() => '{}');
  try {
    return Annotations.parse(JSON.parse(text));
  } catch {
    // Only comments are lost when somebody spoils this file by hand; the run itself stays usable.
    return Annotations.parse({});
  }
}
