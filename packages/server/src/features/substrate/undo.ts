import type { Transaction } from "../../engines/postgres/database.ts";
import type { SubstrateContext } from "./context.ts";

/** What is thrown so that a transaction undoes itself. */
class Undo extends Error {}

/** Does `work` in a transaction and undoes it: what it gives back tells what doing it would have done. */
export async function tryOut<T>(
  { platform, turns }: Pick<SubstrateContext, "platform" | "turns">,
  organizationId: string,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  let seen: { readonly value: T } | null = null;
  try {
    await turns.take(organizationId, () =>
      platform.database.transaction(async (tx) => {
        seen = { value: await work(tx) };
        throw new Undo();
      }),
    );
  } catch (error) {
    if (!(error instanceof Undo)) throw error;
  }
  return seen!.value;
}
