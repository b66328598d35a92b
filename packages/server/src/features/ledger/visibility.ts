/** Which entries' sealed values a reader may have, by the entry's kind. */
export type SeesValues = (kind: string) => boolean;

export const SEES_ALL: SeesValues = () => true;

/** What belongs to the substrate: its actions, what waited for a person, what was sent about them. */
const OF_SUBSTRATE = /^(?:substrate|approval|outbox)\./;

/** Decisions of the gateway: the arguments they keep are for judging calls again, and shown to nobody. */
const ARGUMENTS = /^gateway\.(?:allow|deny|limit|hold|error|replay)$/;

/**
 * What a key of the organisation may have, by its scopes: values from the substrate with the substrate's scope, all
 * others with that of the organisation's apps, arguments of calls through the gateway with none. That something happened
 * is seen by either. Pure.
 */
export const seesValues = (scopes: readonly string[]): SeesValues => {
  const [substrate, apps] = [scopes.includes("substrate"), scopes.includes("*")];
  return (kind) => !ARGUMENTS.test(kind) && (OF_SUBSTRATE.test(kind) ? substrate : apps);
};
