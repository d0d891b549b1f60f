/** With ordinary spaces in place of those at which no line may end: to be read in a test. */
export function spaced(text: string): string {
  return text.replaceAll('\u00a0', ' ');
}
