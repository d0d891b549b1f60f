export interface DesktopSurroundings {
  env?: Record<string, string | undefined>;
  platform?: string;
  find?: (options: { env: Record<string, string | undefined> }) => { binary?: string; why?: string };
  /** Brings dist/electron up to date. */
  prepare?: () => Promise<void>;
}
export function openDesktop(surroundings?: DesktopSurroundings): Promise<{ code?: number; why?: string }>;
