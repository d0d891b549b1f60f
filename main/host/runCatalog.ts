/**
 * The runs below the data root, found by id: folders with a config.json. What a user adds to a finished run (name, tags, note) lies beside
 * it in annotations.json; the trash is a folder next to the runs, so that moving there and back is one rename.
 */
import { mkdir, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { PreloraError } from '../protocol/reply.ts';
import { StudyMembership } from '../protocol/study.ts';
import { writeJsonAtomically } from '../store/atomicFile.ts';
import { exists } from '../store/exists.ts';
import { lockHolder } from '../store/lock.ts';
import { CREATED_EVENT, listRunFolders, STATUS_FILE, streamRecords } from '../store/runFolder.ts';
import { runFolderName } from '../store/runName.ts';

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

const ANNOTATIONS_FILE = 'annotations.json';

export class RunCatalog {
  /** Run id → folder, as last seen. */
  readonly #dirs = new Map<string, string>();

  constructor(readonly root: string) {}

  get trashRoot(): string {
    return path.join(path.dirname(this.root), 'trash');
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

  async annotate(runId: string, changes: Partial<Annotations>): Promise<void> {
    await annotateRun(await this.find(runId), changes);
  }

  /** Throws `busy` while some process writes the run. */
  async moveToTrash(runId: string): Promise<void> {
    const dir = await this.find(runId);
    const holder = lockHolder(dir);
    if (holder) throw new PreloraError('busy', `run ${runId} is being written by process ${holder.pid}; stop it first`, 'runId');
    await mkdir(this.trashRoot, { recursive: true });
    await rename(dir, await freeName(this.trashRoot, path.basename(dir)));
    this.#dirs.delete(runId);
  }

  async restoreFromTrash(runId: string): Promise<void> {
    for (const dir of (await listRunFolders(this.trashRoot)).reverse()) {
      if ((await readRunId(dir)) !== runId && path.basename(dir) !== runId) continue;
      await rename(dir, await freeName(this.root, path.basename(dir)));
      return;
    }
    throw new PreloraError('not-found', `run ${runId}: not in the trash (${this.trashRoot})`, 'runId');
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

/** From status.json, which is there after the first step, else from the journal, else the folder's name. */
async function readRunId(dir: string): Promise<string> {
  try {
    const status: unknown = JSON.parse(await readFile(path.join(dir, STATUS_FILE), 'utf8'));
    const { runId } = (status ?? {}) as { runId?: unknown };
    if (typeof runId === 'string' && runId !== '') return runId;
  } catch {
    // Not written yet, or damaged: the journal knows as well.
  }
  try {
    for await (const { kind, detail } of streamRecords(dir, 'events')) {
      if (kind === CREATED_EVENT && typeof detail.runId === 'string') return detail.runId;
    }
  } catch {
    // A damaged journal: the run keeps a row in the table, by its folder's name.
  }
  return path.basename(dir);
}

async function freeName(parent: string, name: string): Promise<string> {
  for (let n = 1; ; n++) {
    const candidate = path.join(parent, n === 1 ? name : `${name}-${n}`);
    if (!(await exists(candidate))) return candidate;
  }
}
