/** Before any test: dist/ is up to date (worker entries are started from there), and nobody downloads an Electron by accident. */
import { transpile } from '../../build/transpile.mjs';

export async function setup(): Promise<void> {
  process.env.ELECTRON_OVERRIDE_DIST_PATH = '/nonexistent';
  await transpile();
}
