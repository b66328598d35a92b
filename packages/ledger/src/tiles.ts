import { LedgerError } from "./errors.ts";
import type { Frontier } from "./frontier.ts";
import { HASH_BYTES, nodeHash } from "./hashing.ts";
import type { NodeReader } from "./tree.ts";
import type { Hash } from "./types.ts";

/*
 * A tree is stored as the hashes of every eighth level: the leaves (tile level 0), the roots over 256 leaves (tile
 * level 1), over 65,536 (tile level 2) and so on, each row written once, when its subtree is complete. A tile is a run
 * of 256 neighbours among them. Every other node is computed from the part of one tile below it.
 * https://c2sp.org/tlog-tiles has the same tiles.
 */

/** Hashes of a full tile. */
export const TILE_WIDTH = 256;
/** Levels of the tree from one tile level to the next. */
export const TILE_HEIGHT = 8;

/** A hash to be stored: that of the perfect subtree over `256^level` leaves at `index`. */
export interface TileHash {
  /** Tile level; 0 are the leaves. */
  readonly level: number;
  readonly index: number;
  readonly hash: Hash;
}

/**
 * The hashes that tile `tile` of tile level `level` holds so far, concatenated from its beginning: at most 256, fewer
 * at the right edge of the tree.
 */
export type TileReader = (level: number, tile: number) => Buffer | Promise<Buffer>;

/** Appends leaves to the tree and returns what has to be stored besides them: the hashes of tile level 1 and above. */
export function appendLeaves(frontier: Frontier, leaves: readonly Hash[]): TileHash[] {
  const stored: TileHash[] = [];
  for (const leaf of leaves) {
    frontier.append(leaf, (level, index, hash) => {
      if (level % TILE_HEIGHT === 0) stored.push({ level: level / TILE_HEIGHT, index, hash });
    });
  }
  return stored;
}

/** Where the hash of a perfect subtree is found: `count` hashes of a tile, beginning with the one at `offset`. */
export function placeInTile(
  level: number,
  index: number,
): {
  readonly level: number;
  readonly tile: number;
  readonly offset: number;
  readonly count: number;
} {
  const count = 2 ** (level % TILE_HEIGHT);
  const perTile = TILE_WIDTH / count;
  return {
    level: Math.floor(level / TILE_HEIGHT),
    tile: Math.floor(index / perTile),
    offset: (index % perTile) * count,
    count,
  };
}

/** The root over `count` (a power of two) hashes of a tile. Throws `tree_malformed` when the tile does not hold them. */
export function hashInTile(tile: Buffer, offset: number, count: number): Hash {
  if (tile.length < (offset + count) * HASH_BYTES)
    throw new LedgerError(
      "tree_malformed",
      `A tile of ${tile.length / HASH_BYTES} hashes lacks hash ${offset + count - 1}.`,
    );
  let row: Hash[] = [];
  for (let at = offset; at < offset + count; at++)
    row.push(tile.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES));
  while (row.length > 1) {
    const above: Hash[] = [];
    for (let at = 0; at < row.length; at += 2) above.push(nodeHash(row[at]!, row[at + 1]!));
    row = above;
  }
  return row[0]!;
}

/**
 * Finds any node of the tree in its tiles. Each tile is read once and kept as long as the reader is: make one per root
 * or proof. Those read one tile per tile level, a proof up to two.
 */
export function nodesInTiles(readTile: TileReader): NodeReader {
  const tiles = new Map<string, Buffer | Promise<Buffer>>();
  return async (level, index) => {
    const place = placeInTile(level, index);
    const name = `${place.level}/${place.tile}`;
    let tile = tiles.get(name);
    if (tile === undefined) {
      tile = readTile(place.level, place.tile);
      tiles.set(name, tile);
    }
    return hashInTile(await tile, place.offset, place.count);
  };
}
