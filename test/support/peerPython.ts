/** The Python that has other people's libraries for interop tests: PRELORA_PEER_PYTHON, else /opt/peer. */
import { spawnSync } from 'node:child_process';

export const PEER_PYTHON = process.env.PRELORA_PEER_PYTHON ?? '/opt/peer/bin/python';

/** Whether that Python is there and imports these modules; what is missing is said, because the tests of it are skipped. */
export function peerHas(...modules: string[]): boolean {
  const { status, error, stderr } = spawnSync(PEER_PYTHON, ['-c', `import ${modules.join(', ')}`], { encoding: 'utf8' });
  if (status === 0) return true;
  console.warn(`skipped: ${PEER_PYTHON} cannot import ${modules.join(', ')}: ${error?.message ?? stderr.trim().split('\n').at(-1)}`);
  return false;
}
