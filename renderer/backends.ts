/** What a compute backend is called on the page. */
const NAMES: Record<string, string> = { tensorflow: 'TensorFlow', wasm: 'WebAssembly', cpu: 'plain JavaScript', webgpu: 'WebGPU' };

export function backendName(backend: string): string {
  return NAMES[backend] ?? backend;
}
