/** Names and paths of what is handed on, on whatever system the engine runs. */

/** A run's name as the name of a file or folder, without what some system refuses there. */
export function fileNameOf(name: string | undefined): string {
  return (name ?? '').replace(/[^\p{L}\p{N}._-]+/gu, '-').replace(/^[.-]+/, '') || 'model';
}

/** `name` in a folder that a dialog of this system gave. */
export function inFolder(folder: string, name: string): string {
  const separator = folder.includes('\\') ? '\\' : '/';
  return `${folder}${folder.endsWith(separator) ? '' : separator}${name}`;
}
