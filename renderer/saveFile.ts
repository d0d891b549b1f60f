/** Hands bytes or text to the user as a file: a browser puts it into the downloads folder, the desktop shell asks where. */
export function saveFile(name: string, content: Uint8Array<ArrayBuffer> | string, type: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  // Not at once: the download begins after this turn.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
