import { createHash } from "node:crypto";
import { type Checkpoint, keyPairFromSeed, openCheckpoint, signCheckpoint, verifierKey } from "@ambit/ledger";
import type { Secrets } from "../../kernel/secrets.ts";

/** Signs checkpoints of one ledger. */
export interface Signer {
  /** Names the ledger in its checkpoints and its key. */
  readonly origin: string;
  /** For those who verify: `<origin>+<key id>+<key>`. */
  readonly publicKey: string;
  sign(size: number, root: Buffer): string;
  /** What a note of ours says. Throws LedgerError for one that is not. */
  open(note: string): Checkpoint;
}

/** The signer of the ledger with this id. Every node with the same master key has the same key. */
export function createSigner(secrets: Secrets, ledgerId: string): Signer {
  const origin = `ambit.local/ledger/${ledgerId}`;
  const seed = createHash("sha256").update(secrets.derive("ledger-signing", "ed25519")).digest();
  const { privateKey, publicKey } = keyPairFromSeed(seed);
  const vkey = verifierKey(origin, publicKey);
  return {
    origin,
    publicKey: vkey,
    sign: (size, root) => signCheckpoint({ origin, size, root }, origin, privateKey),
    open: (note) => openCheckpoint(note, vkey),
  };
}
