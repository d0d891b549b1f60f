/**
 * The trash: deleted and discarded runs wait there, next to the runs, so that moving there and back is one rename. The moment a run came
 * is noted in its folder; 30 days later it may go for good. That takes two steps: a rename to a name that no run has, then the deleting,
 * so that a kill between leaves no half run; what it leaves is deleted by the next tidying. Links are deleted, not what they point to.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { PreloraError } from '../protocol/reply.ts';
import { renameWithRetries, writeJsonAtomically } from '../store/atomicFile.ts';
import { diskFault, systemCode } from '../store/diskFault.ts';
import { freeName } from '../store/freeName.ts';
import { parseJson } from '../store/json.ts';
import { lockHolder } from '../store/lock.ts';
import { listRunFolders } from '../store/runFolder.ts';
import { readRunId } from '../store/runId.ts';

/** How long a run waits (product.md section 3). */
export const KEPT_IN_TRASH_MS = 30 * 24 * 3600 * 1000;

const ARRIVAL_FILE = 'trashed.json';
const Arrival = z.object({
  at: z.iso.datetime(),
  /** As the table of runs knew it. */
  runId: z.string(),
});

/** Beside the trash, not in it, where a run could have any name. Needs no folder of its own, which a full disk might not give. */
const DOOMED = /^deleting-[0-9a-f]{8}$/;

export interface TrashedFolder {
  /** Its name within the trash, which no other has. */
  folder: string;
  dir: string;
  runId: string;
  /** When it came, in ms since the epoch. */
  trashedAt: number;
}

export class RunTrash {
  readonly #dataRoot: string;
  readonly #now: () => number;

  /** `now` is in ms since the epoch. */
  constructor(dataRoot: string, now: () => number = Date.now) {
    this.#dataRoot = dataRoot;
    this.#now = now;
  }

  get root(): string {
    return path.join(this.#dataRoot, 'trash');
  }

  /** Newest first. A run that came without a note, with an earlier version of the program, counts from now on. */
  async list(): Promise<TrashedFolder[]> {
    const found = (await listRunFolders(this.root)).map(async (dir) => ({
      folder: path.basename(dir),
      dir,
      ...(await this.#arrival(dir)),
    }));
    return (await Promise.all(found)).sort((a, b) => b.trashedAt - a.trashedAt);
  }

  /** Throws `busy` while some process writes the run. */
  async put(dir: string, runId: string): Promise<void> {
    refuseHeld(dir);
    // A full disk must not keep anybody from throwing things away: without the note its time begins when it is next seen.
    await this.#note(dir, runId).catch(() => {});
    await mkdir(this.root, { recursive: true });
    await renameWithRetries(dir, await freeName(this.root, path.basename(dir)));
  }

  /** Brings a run back, below `parent`. Throws `busy` while some process writes it. */
  async takeOut({ dir, folder }: TrashedFolder, parent: string): Promise<void> {
    refuseHeld(dir);
    await mkdir(parent, { recursive: true });
    const target = await freeName(parent, folder);
    await renameWithRetries(dir, target);
    await rm(path.join(target, ARRIVAL_FILE), { force: true });
  }

  /** Deletes a run for good. Throws `busy` while some process writes it, `not-writable` where it cannot be deleted. */
  async remove({ dir }: TrashedFolder): Promise<void> {
    refuseHeld(dir);
    const doomed = path.join(this.#dataRoot, `deleting-${randomBytes(4).toString('hex')}`);
    await renameWithRetries(dir, doomed).catch((error: unknown) => {
      throw diskFault(error, dir);
    });
    try {
      // Somebody may have begun to write it between the look and the rename.
      refuseHeld(doomed);
    } catch (error) {
      await renameWithRetries(doomed, dir);
      throw error;
    }
    await removeFolder(doomed);
  }

  /**
   * Deletes what has been here for its time, and what a kill left half deleted; a run that some process writes stays. Gives back the ids
   * of the runs that went, and tells `say` what could not be deleted.
   */
  async tidy(say: (message: string) => void): Promise<string[]> {
    await this.#finishDeleting(say);
    const gone: string[] = [];
    for (const run of await this.list()) {
      if (this.#now() < run.trashedAt + KEPT_IN_TRASH_MS || whyHeld(run.dir) !== null) continue;
      try {
        await this.remove(run);
        gone.push(run.runId);
      } catch (error) {
        say(`run ${run.folder} stays in the trash: ${(error as Error).message}`);
      }
    }
    return gone;
  }

  async #finishDeleting(say: (message: string) => void): Promise<void> {
    for (const entry of await readdir(this.#dataRoot, { withFileTypes: true }).catch(noneIfGone)) {
      if (!entry.isDirectory() || !DOOMED.test(entry.name)) continue;
      await removeFolder(path.join(this.#dataRoot, entry.name)).catch((error: Error) => say(error.message));
    }
  }

  async #arrival(dir: string): Promise<Pick<TrashedFolder, 'runId' | 'trashedAt'>> {
    const text = await readFile(path.join(dir, ARRIVAL_FILE), 'utf8').catch(() => '');
    const noted = Arrival.safeParse(parseJson(text));
    if (noted.success) return { runId: noted.data.runId, trashedAt: Date.parse(noted.data.at) };
    const runId = await readRunId(dir);
    await this.#note(dir, runId).catch(() => {});
    return { runId, trashedAt: this.#now() };
  }

  async #note(dir: string, runId: string): Promise<void> {
    const at = new Date(this.#now()).toISOString();
    await writeJsonAtomically(path.join(dir, ARRIVAL_FILE), { at, runId } satisfies z.output<typeof Arrival>);
  }
}

/** Why the run in `dir` must stay where it is, in words; null when nobody writes it. */
export function whyHeld(dir: string): string | null {
  try {
    const holder = lockHolder(dir);
    return holder && `it is being written by process ${holder.pid} on ${holder.host}; stop that first`;
  } catch (error) {
    // A lock that cannot be understood may be anybody's.
    return (error as Error).message;
  }
}

function refuseHeld(dir: string): void {
  const why = whyHeld(dir);
  if (why !== null) throw new PreloraError('busy', `run ${path.basename(dir)} stays where it is: ${why}`, 'runId');
}

async function removeFolder(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    throw diskFault(error, folder);
  }
}

function noneIfGone(error: unknown): [] {
  if (systemCode(error) === 'ENOENT') return [];
  throw error;
}
