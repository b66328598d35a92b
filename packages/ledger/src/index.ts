export { canonicalText } from "./canonical.ts";
export { checkpointText, openCheckpoint, signCheckpoint } from "./checkpoint.ts";
export { commit, newOpening, opens, SALT_BYTES } from "./commitment.ts";
export { canonicalEntry, isCanonical, parseEntry } from "./entry.ts";
export { LedgerError, type LedgerErrorCode } from "./errors.ts";
export {
  type CheckpointLine,
  checkpointLine,
  type EntryLine,
  type ExportHeader,
  exportLines,
  type ForeignLine,
  headerLine,
  leafLine,
  readHeader,
  readLine,
  type SizedNote,
} from "./export.ts";
export { Frontier } from "./frontier.ts";
export { emptyRoot, foldRight, leafHash, nodeHash } from "./hashing.ts";
export {
  keyPairFromSeed,
  parseVerifierKey,
  type SigningKey,
  type VerifierKey,
  verifierKey,
} from "./keys.ts";
export { linesOf } from "./lines.ts";
export { verifyConsistency, verifyInclusion } from "./proof.ts";
export type { Problem, ProblemKind, Report } from "./report.ts";
export {
  appendLeaves,
  hashInTile,
  nodesInTiles,
  placeInTile,
  TILE_HEIGHT,
  TILE_WIDTH,
  type TileHash,
  type TileReader,
} from "./tiles.ts";
export {
  carryOut,
  consistencyPlan,
  consistencyProof,
  inclusionPlan,
  inclusionProof,
  type NodeReader,
  type ProofPlan,
  rootOf,
  type Subtree,
  subtreesOf,
} from "./tree.ts";
export type * from "./types.ts";
export { type VerifyOptions, verifyExport } from "./verify.ts";
