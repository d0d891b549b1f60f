/** Which faults mean that there was no memory, in the words of those who throw them, and how the system tells that it killed a process. */
import { readFileSync } from 'node:fs';

/** TensorFlow's allocators (CPU and GPU), the C++ library, V8's array buffers and the heap of a thread, and WebAssembly's memory. */
const WORDS =
  /\bOOM when allocating|resource.?exhausted|bad_alloc|(?:array buffer|typed array) allocation failed|invalid (?:typed )?array(?: buffer)? length|cannot enlarge memory|could not allocate memory|failed to allocate memory|aborted\(OOM\)|reaching memory limit|heap out of memory/i;

export function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && WORDS.test(error.message);
}

/** Linux counts the processes that it killed for memory: of the container where it has one, and of the machine. */
const COUNTERS = ['/sys/fs/cgroup/memory.events', '/proc/vmstat'];

/** Processes killed for memory so far; null where the system does not say. */
export function memoryKills(): number | null {
  const counts = COUNTERS.flatMap((file) => /^oom_kill (\d+)$/m.exec(readOrNothing(file))?.[1] ?? []);
  return counts.length === 0 ? null : counts.reduce((sum, count) => sum + Number(count), 0);
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
