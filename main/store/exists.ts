/** Whether there is a file or folder of a name. */
import { stat } from 'node:fs/promises';
import { systemCode } from './diskFault.ts';

/** False only where there is nothing; what cannot be looked at throws. */
export async function exists(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}
