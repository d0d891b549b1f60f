/** `Mod+Shift+P` as it is written on this machine's keys. */
export function keysText(keys: string): string {
  const isMac = typeof navigator !== 'undefined' && navigator.platform.startsWith('Mac');
  return isMac ? keys.replace('Mod+', '⌘').replace('Shift+', '⇧') : keys.replace('Mod', 'Ctrl');
}
