/**
 * A program as one native TensorFlow graph: each call is one native call, with the feeds and the declared outputs the only data that cross
 * (architecture.md section 5). Variables are resource variables of one session, shared by all functions.
 */
import { type AssembledGraph, assembleGraph, type CallSite, GUARD_MESSAGE, type VariableSite } from './assembleGraph.ts';
import { checkFeeds, checkValue, createHostArray, findFunction, findVariable, sizeOf } from './feeds.ts';
import { writeSavedModel } from './graphWriter.ts';
import { type Feed, type NativeBinding, NativeSession } from './nativeSession.ts';
import { type CompiledProgram, type GraphProgram, type HostArray, NonFiniteError, type ProgramStats } from './program.ts';
import { registerSymbolicBackend } from './symbolicBackend.ts';

/** Variables are read and written in parts of about this size, so that no more than a part is held twice. */
const PART_BYTES = 64 * 1024 * 1024;

/**
 * Traces and loads the program; takes seconds for a ViT-L. `binding` is the native binding of the `tensorflow` backend, which must be registered.
 * Throws an UncompilableError that names the op when a function cannot be part of a graph. Variables have no value until `writeVariables`.
 */
export function compileProgram(program: GraphProgram, binding: NativeBinding): CompiledProgram {
  const started = performance.now();
  const graph = assembleGraph(program, registerSymbolicBackend(binding as unknown as Record<string, number>));
  const traced = performance.now();
  const session = new NativeSession(binding, writeSavedModel(graph.nodes));
  const stats = { nodes: graph.nodes.length, traceMs: traced - started, loadMs: performance.now() - traced };
  return new NativeProgram({ program, graph, session, stats });
}

interface NativeParts {
  readonly program: GraphProgram;
  readonly graph: AssembledGraph;
  readonly session: NativeSession;
  readonly stats: ProgramStats;
}

class NativeProgram implements CompiledProgram {
  readonly isCompiled = true;
  readonly stats: ProgramStats;
  readonly #program: GraphProgram;
  readonly #graph: AssembledGraph;
  readonly #session: NativeSession;
  readonly #written = new Set<string>();

  constructor({ program, graph, session, stats }: NativeParts) {
    this.#program = program;
    this.#graph = graph;
    this.#session = session;
    this.stats = stats;
  }

  call(name: string, feeds: Readonly<Record<string, HostArray>>): Record<string, HostArray> {
    const fn = findFunction(this.#program, name);
    checkFeeds(name, fn, feeds);
    const site = this.#graph.functions.get(name) as CallSite;
    for (const variable of site.needs) this.#checkWritten(variable);
    const fed = Array.from(site.feeds, ([input, node]): Feed => {
      return { name: node, spec: fn.inputs[input] as Feed['spec'], value: feeds[input] as HostArray };
    });
    const values = this.#run(name, fed, site.fetches);
    for (const variable of site.assigns) this.#written.add(variable);
    return Object.fromEntries(site.outputs.map((output, i) => [output, values[i] as HostArray]));
  }

  readVariables(names: Iterable<string>): Map<string, HostArray> {
    const wanted = new Set(names);
    for (const name of wanted) {
      findVariable(this.#program, name);
      this.#checkWritten(name);
    }
    const values = new Map<string, HostArray>();
    // Always the same parts: TensorFlow prepares, and keeps, an executor for every distinct set of fetches.
    for (const part of this.#parts([...this.#written])) {
      if (!part.some((name) => wanted.has(name))) continue;
      const read = this.#session.run(
        [],
        part.map((name) => this.#site(name).read),
      );
      part.forEach((name, i) => {
        if (wanted.has(name)) values.set(name, read[i] as HostArray);
      });
    }
    return new Map(Array.from(wanted, (name) => [name, values.get(name) as HostArray]));
  }

  writeVariables(entries: Iterable<readonly [name: string, value: HostArray | 'zeros']>): void {
    let part = new Map<string, HostArray | 'zeros'>();
    let bytes = 0;
    for (const [name, value] of entries) {
      const spec = findVariable(this.#program, name);
      if (value !== 'zeros') checkValue(`variable "${name}"`, spec, value);
      part.set(name, value);
      bytes += sizeOf(spec) * 4;
      if (bytes < PART_BYTES) continue;
      this.#writePart(part);
      part = new Map();
      bytes = 0;
    }
    if (part.size > 0) this.#writePart(part);
  }

  #writePart(values: ReadonlyMap<string, HostArray | 'zeros'>): void {
    this.#session.run(
      Array.from(values, ([name, value]) => this.#writeFeed(name, value)),
      Array.from(values, ([name, value]) => (value === 'zeros' ? this.#site(name).filled : this.#site(name).written)),
    );
    for (const name of values.keys()) this.#written.add(name);
  }

  dispose(): void {
    this.#session.dispose();
  }

  #writeFeed(name: string, value: HostArray | 'zeros'): Feed {
    const spec = findVariable(this.#program, name);
    if (value !== 'zeros') return { name: this.#site(name).feed, spec, value };
    const scalar = { shape: [], dtype: spec.dtype };
    return { name: this.#site(name).fill, spec: scalar, value: createHostArray(scalar) };
  }

  #run(name: string, feeds: readonly Feed[], fetches: readonly string[]): HostArray[] {
    try {
      return this.#session.run(feeds, fetches);
    } catch (error) {
      if (error instanceof Error && error.message.includes(GUARD_MESSAGE)) {
        throw new NonFiniteError(`"${name}" is not finite; nothing was assigned`);
      }
      throw error;
    }
  }

  /** The names in their order, cut into parts of about PART_BYTES; one variable at least. */
  #parts(names: readonly string[]): string[][] {
    const parts: string[][] = [];
    let room = 0;
    for (const name of names) {
      const bytes = sizeOf(findVariable(this.#program, name)) * 4;
      if (parts.length === 0 || bytes > room) {
        parts.push([]);
        room = PART_BYTES;
      }
      parts.at(-1)?.push(name);
      room -= bytes;
    }
    return parts;
  }

  #site(name: string): VariableSite {
    return this.#graph.variables.get(name) as VariableSite;
  }

  #checkWritten(name: string): void {
    if (!this.#written.has(name)) throw new Error(`variable "${name}" has no value yet: write it first`);
  }
}
