/** The imports of a tree of TypeScript and Svelte files, read from their syntax: for the architecture test. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

export interface Import {
  /** Repository path of the importing file, with forward slashes. */
  from: string;
  line: number;
  /** What stands in quotes. */
  specifier: string;
  /** Repository path for a file of ours; null for a package or a Node module. */
  target: string | null;
  /** Erased at compile time: `import type`, `typeof import()`. */
  isType: boolean;
}

/** All source files below the folders, as repository paths; folders that are not there yet have none. */
export function sourceFiles(root: string, folders: string[]): string[] {
  return folders.flatMap((folder) => {
    if (!existsSync(path.join(root, folder))) return [];
    return readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.(ts|mts|svelte)$/.test(entry.name) && !entry.name.endsWith('.d.ts'))
      .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'));
  });
}

/** Imports, re-exports, `import()`, `typeof import()` and the packages named in `require('@…')` calls of one file. */
export function importsOf(root: string, file: string): Import[] {
  return importsInText(root, file, readFileSync(path.join(root, file), 'utf8'));
}

/** The same for a text that stands for the file; tests of the reader use it. */
export function importsInText(root: string, file: string, text: string): Import[] {
  const source = ts.createSourceFile(file, file.endsWith('.svelte') ? scriptsOf(text) : text, ts.ScriptTarget.Latest, true);
  const imports: Import[] = [];
  const add = (node: ts.Node, specifier: string, isType: boolean): void => {
    const line = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;
    imports.push({ from: file, line, specifier, target: resolve(root, file, specifier), isType });
  };
  const visit = (node: ts.Node): void => {
    const found = importIn(node);
    if (found) add(node, found.specifier, found.isType);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return imports;
}

function importIn(node: ts.Node): { specifier: string; isType: boolean } | null {
  if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
    return { specifier: (node.moduleSpecifier as ts.StringLiteral).text, isType: isTypeOnly(node) };
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal)) {
    return { specifier: node.argument.literal.text, isType: true };
  }
  const isCall =
    ts.isCallExpression(node) && (node.expression.kind === ts.SyntaxKind.ImportKeyword || node.expression.getText() === 'require');
  const [argument] = isCall ? node.arguments : [];
  if (argument && ts.isStringLiteralLike(argument)) return { specifier: argument.text, isType: false };
  // A package named in a constant that a require() is built from.
  if (
    ts.isVariableDeclaration(node) &&
    node.initializer &&
    ts.isStringLiteral(node.initializer) &&
    node.initializer.text.startsWith('@tensorflow/')
  ) {
    return { specifier: node.initializer.text, isType: false };
  }
  return null;
}

function isTypeOnly(node: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  if (ts.isExportDeclaration(node)) return node.isTypeOnly;
  const clause = node.importClause;
  if (!clause) return false;
  if (clause.isTypeOnly) return true;
  const names = clause.namedBindings;
  return (
    !clause.name &&
    !!names &&
    ts.isNamedImports(names) &&
    names.elements.length > 0 &&
    names.elements.every((element) => element.isTypeOnly)
  );
}

function scriptsOf(text: string): string {
  // Lines outside the scripts are blanked, so that line numbers stay.
  let inside = false;
  return text
    .split('\n')
    .map((line) => {
      if (/^\s*<script\b/.test(line)) inside = true;
      else if (/^\s*<\/script>/.test(line)) inside = false;
      else if (inside) return line;
      return '';
    })
    .join('\n');
}

function resolve(root: string, file: string, specifier: string): string | null {
  if (!specifier.startsWith('.')) return null;
  const target = path.posix.normalize(path.posix.join(path.posix.dirname(file), specifier));
  const candidates = [target, `${target}.ts`, target.replace(/\.js$/, '.ts')];
  return candidates.find((candidate) => existsSync(path.join(root, candidate))) ?? target;
}

/** Every cycle once, as the files in order; over imports that exist at run time. */
export function cycles(imports: Import[]): string[][] {
  const edges = new Map<string, string[]>();
  for (const { from, target, isType } of imports) {
    if (target && !isType) edges.set(from, [...(edges.get(from) ?? []), target]);
  }
  const found: string[][] = [];
  const done = new Set<string>();
  const walk = (file: string, trail: string[]): void => {
    const at = trail.indexOf(file);
    if (at >= 0) found.push([...trail.slice(at), file]);
    if (at >= 0 || done.has(file)) return;
    for (const next of edges.get(file) ?? []) walk(next, [...trail, file]);
    done.add(file);
  };
  for (const file of edges.keys()) walk(file, []);
  return found;
}

/** Everything that is loaded when `entry` is: each import with the trail of files that leads to it. */
export function reachable(imports: Import[], entry: string): { trail: string[]; specifier: string }[] {
  const byFile = new Map<string, Import[]>();
  for (const found of imports.filter(({ isType }) => !isType)) byFile.set(found.from, [...(byFile.get(found.from) ?? []), found]);
  const seen = new Set<string>();
  const loaded: { trail: string[]; specifier: string }[] = [];
  const walk = (file: string, trail: string[]): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const { specifier, target } of byFile.get(file) ?? []) {
      loaded.push({ trail: [...trail, file], specifier });
      if (target) walk(target, [...trail, file]);
    }
  };
  walk(entry, []);
  return loaded;
}
