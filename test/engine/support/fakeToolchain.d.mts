import type { InstallOptions } from '../../../main/engine/install.ts';

export function fakeToolchain(slow?: string): Required<Pick<InstallOptions, 'makeAddon' | 'testAddon'>>;
