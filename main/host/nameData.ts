/** Data of a run that came in a bundle, named again (store/namedData.ts): opened first, so that what is kept is data this run can use. */
import { openDataset } from '../data/dataset.ts';
import { DataReference } from '../protocol/dataReference.ts';
import { PreloraError } from '../protocol/reply.ts';
import { lockHolder } from '../store/lock.ts';
import { isReference, memberOf, nameData } from '../store/namedData.ts';
import { readConfig, readRawConfig } from '../store/runFolder.ts';

export interface NamedSources {
  source: string;
  valSource?: string | undefined;
}

/**
 * Keeps where the data of the run in `dir` lies, and gives back in what it differs from what the run was trained on. Throws `bad-arguments`
 * for a run that has its data or is being trained, `bad-config` for data that does not fit the model, or what the data throws.
 */
export async function nameDataOf(dir: string, { source, valSource }: NamedSources): Promise<string[]> {
  const raw = await readRawConfig(dir);
  const reference = memberOf(raw, ['data', 'source']);
  if (!isReference(reference))
    throw new PreloraError('bad-arguments', `data.source: the run names its data already, ${String(reference)}`, 'source');
  if (lockHolder(dir)) throw new PreloraError('busy', `${dir} is being trained; its data cannot be named now`, 'source');
  const { data, model } = await readConfig(dir);
  const hasOwnValidation = isReference(memberOf(raw, ['data', 'valSource']));
  if (hasOwnValidation && valSource === undefined)
    throw new PreloraError('bad-arguments', 'valSource: the run had its validation images apart; name both', 'valSource');
  const named = { ...data, source, ...(hasOwnValidation && { valSource: valSource ?? null }) };
  const dataset = await openDataset(named, { channels: model.inChannels });
  const { length } = dataset.classNames;
  if (length > model.numClasses)
    throw new PreloraError(
      'bad-config',
      `data.source ${source}: has ${length} classes, the run was trained on ${model.numClasses}`,
      'data.source',
    );
  await nameData(dir, { 'data.source': source, ...(hasOwnValidation && valSource !== undefined && { 'data.valSource': valSource }) });
  return differences(DataReference.safeParse(reference).data ?? null, dataset.fingerprint);
}

function differences(reference: DataReference | null, fingerprint: string): string[] {
  if (!reference?.fingerprint) return ['whether it is the data of the run cannot be told: its fingerprint was not recorded'];
  if (reference.fingerprint === fingerprint) return [];
  return [`it is not the data that the run was trained on (${reference.kind} "${reference.name}"): other images, classes or splits`];
}
