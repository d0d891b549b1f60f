/** A name that nothing has yet. */
import path from 'node:path';
import { exists } from './exists.ts';

/** A path in `parent` where nothing lies: that of `name`, else with the first free number behind it. */
export async function freeName(parent: string, name: string): Promise<string> {
  for (let n = 1; ; n++) {
    const candidate = path.join(parent, n === 1 ? name : `${name}-${n}`);
    if (!(await exists(candidate))) return candidate;
  }
}
