import type { ClientBase } from "pg";
import type { Queryable } from "../../engines/postgres/database.ts";
import type { Relation } from "../../engines/postgres/replication/pgoutput.ts";
import { loadUserTypes, type UserTypes } from "../../engines/postgres/replication/user-types.ts";
import { type Shape, shapeOf } from "./record.ts";

/** The least oid of a type made after the cluster was. */
const FIRST_USER_OID = 16_384;

/** Shapes of relations, with the user-made types their JSON form depends on, read when a new one comes up. */
export class ShapeSource {
  readonly #database: Queryable;
  readonly #shapes = new WeakMap<Relation, Shape>();
  readonly #asked = new Set<number>();
  #types: UserTypes = new Map();

  constructor(database: Queryable) {
    this.#database = database;
  }

  /** The relation's shape if all of its types are known. */
  peek(relation: Relation): Shape | undefined {
    const known = this.#shapes.get(relation);
    if (known !== undefined || this.#unknown(relation).length > 0) return known;
    const shape = shapeOf(relation, this.#types);
    this.#shapes.set(relation, shape);
    return shape;
  }

  /** The relation's shape, read if it has to be. */
  async shape(relation: Relation): Promise<Shape> {
    await this.prepare([relation]);
    return this.peek(relation)!;
  }

  /** Makes the relations' shapes ready for `peek`. */
  async prepare(relations: Iterable<Relation>): Promise<void> {
    const missing = [...new Set(relations)].flatMap((relation) => this.#unknown(relation));
    if (missing.length === 0) return;
    const query = async (text: string, values: unknown[]) => ({
      rows: await this.#database.query(text, values),
    });
    this.#types = await loadUserTypes({ query } as unknown as ClientBase);
    for (const oid of missing) this.#asked.add(oid);
  }

  /** Types not asked for yet. One that was asked for and not found (a composite) is written as text. */
  #unknown(relation: Relation): number[] {
    if (this.#shapes.has(relation)) return [];
    return relation.columns
      .map((column) => column.typeOid)
      .filter((oid) => oid >= FIRST_USER_OID && !this.#asked.has(oid));
  }
}
