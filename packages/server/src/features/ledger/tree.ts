import { Frontier, type NodeReader, nodesInTiles, subtreesOf, TILE_WIDTH } from "@ambit/ledger";
import type { Queryable } from "../../engines/postgres/database.ts";
import { readTile } from "./tree-store.ts";

/** Finds nodes of the stored tree. Keeps what it read: make one per proof or root. */
export const storedNodes = (db: Queryable): NodeReader =>
  nodesInTiles((level, tile) => readTile(db, level, tile, TILE_WIDTH));

/** The right edge of the stored tree as it was with `size` leaves, for appending to it. */
export async function storedFrontier(db: Queryable, size: number): Promise<Frontier> {
  const nodeAt = storedNodes(db);
  const hashes = subtreesOf(0, size).map(({ level, index }) => nodeAt(level, index));
  return Frontier.of(size, await Promise.all(hashes));
}
