/** The shipped sample, whose thresholds are chosen to show the switch (product.md, J1). */
export function isSample(preset: string | null): boolean {
  return preset === 'sample';
}
