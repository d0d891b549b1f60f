/**
 * Which columns of a parquet file are images and classes. Files of Hugging Face's `datasets` say so in their metadata
 * (`huggingface`: `info.features`); of others the schema is asked. What stays open is the user's to say, never guessed.
 */
import type { FileMetaData, SchemaTree } from 'hyparquet';
import { PreloraError } from '../protocol/reply.ts';
import { parseJson } from '../store/json.ts';

export interface ParquetColumns {
  image: string;
  /** Whether the image column is a struct with the bytes in `bytes`. */
  isStruct: boolean;
  label: string;
  /** Names of the classes, if the file tells them. */
  classNames: string[] | null;
}

export interface WantedFields {
  imageField: string | null;
  labelField: string | null;
}

interface Feature {
  _type?: string;
  names?: unknown;
}

interface Described {
  info?: { features?: Record<string, Feature | undefined> | null } | null;
}

/** `columns` is the schema as a tree. Throws parquet-column, with the columns there are. */
export function findColumns(file: string, { children }: SchemaTree, metadata: FileMetaData, wanted: WantedFields): ParquetColumns {
  const features = featuresOf(metadata);
  const columns = children.map((column) => ({ column, name: column.element.name, feature: features[column.element.name] }));
  const names = columns.map(({ name }) => name);
  const choose = (kind: Kind, candidates: string[]): string => chooseColumn(file, names, { kind, candidates, given: wanted[kind.field] });
  const images = columns.filter(({ column }) => isImage(column)).map(({ name }) => name);
  const declaredImages = columns.filter(({ feature }) => feature?._type === 'Image').map(({ name }) => name);
  const image = choose(IMAGE, declaredImages.length > 0 ? declaredImages : images);
  const declared = columns.filter(({ feature }) => feature?._type === 'ClassLabel').map(({ name }) => name);
  const label = choose(LABEL, declared.length > 0 ? declared : integersOf(children));
  const imageColumn = children.find(({ element }) => element.name === image) as SchemaTree;
  if (!isImage(imageColumn)) throw wrongKind(file, image, 'images', IMAGE);
  const labelColumn = children.find(({ element }) => element.name === label) as SchemaTree;
  if (!isInteger(labelColumn) && !isText(labelColumn)) throw wrongKind(file, label, 'classes', LABEL);
  return { image, isStruct: imageColumn.children.length > 0, label, classNames: namesOf(features[label]) };
}

interface Kind {
  field: keyof WantedFields;
  /** What such a column is called in messages. */
  name: string;
}

const IMAGE: Kind = { field: 'imageField', name: 'image column' };
const LABEL: Kind = { field: 'labelField', name: 'label column' };
const USUAL_LABEL = 'label';

interface Choice {
  kind: Kind;
  candidates: string[];
  given: string | null;
}

function chooseColumn(file: string, names: string[], { kind, candidates, given }: Choice): string {
  const field = `data.${kind.field}`;
  if (given !== null) {
    if (names.includes(given)) return given;
    throw new PreloraError('parquet-column', `${file}: no column ${given}; it has ${names.join(', ')}`, field);
  }
  const [only, ...others] = candidates;
  if (only === undefined)
    throw new PreloraError('parquet-column', `${file}: no ${kind.name}; it has ${names.join(', ')}; name one as ${field}`, field);
  if (others.length === 0) return only;
  throw new PreloraError(
    'parquet-column',
    `${file}: ${candidates.length} ${kind.name}s: ${candidates.join(', ')}; name one as ${field}`,
    field,
  );
}

function wrongKind(file: string, column: string, holds: string, { field }: Kind): PreloraError {
  const needed = field === 'imageField' ? 'struct{bytes, path} or binary' : 'whole numbers or text';
  return new PreloraError('parquet-column', `${file}: column ${column} does not hold ${holds}; ${needed} is needed`, `data.${field}`);
}

/** Without declared classes a column called `label` is meant; other whole numbers beside it are counts and the like. */
function integersOf(children: readonly SchemaTree[]): string[] {
  const usual = children.find(({ element }) => element.name === USUAL_LABEL);
  if (usual && (isInteger(usual) || isText(usual))) return [USUAL_LABEL];
  return children.filter(isInteger).map(({ element }) => element.name);
}

function isImage(column: SchemaTree): boolean {
  const bytes = column.children.find(({ element }) => element.name === 'bytes');
  if (bytes) return isBytes(bytes);
  return isBytes(column) && !isText(column);
}

function isBytes({ element, children }: SchemaTree): boolean {
  return children.length === 0 && element.type === 'BYTE_ARRAY' && element.repetition_type !== 'REPEATED';
}

function isText(column: SchemaTree): boolean {
  return isBytes(column) && (column.element.converted_type === 'UTF8' || column.element.logical_type?.type === 'STRING');
}

function isInteger({ element, children }: SchemaTree): boolean {
  const { type, converted_type: converted = 'INT_64', repetition_type: repetition } = element;
  return children.length === 0 && (type === 'INT32' || type === 'INT64') && repetition !== 'REPEATED' && /^U?INT_/.test(converted);
}

/** The description that `datasets` writes; an empty one where there is none or it is not what it should be. */
function featuresOf({ key_value_metadata: pairs }: FileMetaData): Record<string, Feature | undefined> {
  const described = parseJson(pairs?.find(({ key }) => key === 'huggingface')?.value ?? '') as Described | null | undefined;
  const features = described?.info?.features;
  return features !== null && typeof features === 'object' ? features : {};
}

function namesOf(feature: Feature | undefined): string[] | null {
  const names = feature?._type === 'ClassLabel' ? feature.names : null;
  return Array.isArray(names) && names.length > 0 && names.every((name) => typeof name === 'string') ? names : null;
}
