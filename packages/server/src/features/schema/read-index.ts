import { indexShape } from "./document.ts";
import { identifierProblem } from "./identifiers.ts";
import type { IndexKey, IndexModel } from "./model.ts";
import type { Problems } from "./problems.ts";

/** Operator classes a document may name, by method. They become part of the SQL, so nothing else is taken. */
const OPCLASSES: Readonly<Record<string, ReadonlySet<string>>> = {
  btree: new Set(["text_pattern_ops", "varchar_pattern_ops", "bpchar_pattern_ops"]),
  hash: new Set(),
  gin: new Set(["gin_trgm_ops", "jsonb_ops", "jsonb_path_ops", "array_ops", "tsvector_ops"]),
  gist: new Set(["gist_trgm_ops", "tsvector_ops", "inet_ops"]),
  hnsw: new Set(["vector_l2_ops", "vector_ip_ops", "vector_cosine_ops", "vector_l1_ops"]),
  ivfflat: new Set(["vector_l2_ops", "vector_ip_ops", "vector_cosine_ops"]),
};

/** Names in OPCLASSES that are what Postgres takes anyway. */
const DEFAULT_OPCLASSES = new Set(["jsonb_ops", "array_ops", "tsvector_ops", "vector_l2_ops:ivfflat"]);

/** Methods that keep an order, and those that can be unique. */
const ORDERED = new Set(["btree"]);

export function readIndex(
  problems: Problems,
  name: string,
  value: unknown,
  path: readonly PropertyKey[],
): IndexModel | null {
  problems.addIf(path, identifierProblem(name));
  const raw = problems.read(indexShape, value, path);
  if (raw === undefined) return null;
  const method = raw.method ?? "btree";
  if (raw.unique && !ORDERED.has(method))
    problems.add([...path, "unique"], `an index of method ${method} can't be unique.`);
  const opclassOf = (opclass: string | undefined, at: readonly PropertyKey[]): string | null => {
    if (opclass === undefined) return null;
    const allowed = OPCLASSES[method]!;
    if (!allowed.has(opclass)) {
      const list = [...allowed].join(", ");
      problems.add(
        at,
        `"${opclass.slice(0, 80)}" is not an operator class for ${method}${list ? `; there are ${list}` : ""}.`,
      );
      return null;
    }
    return DEFAULT_OPCLASSES.has(opclass) || DEFAULT_OPCLASSES.has(`${opclass}:${method}`) ? null : opclass;
  };
  const shared = opclassOf(raw.opclass, [...path, "opclass"]);
  const keys = raw.columns.map((key, i): IndexKey => {
    const at = [...path, "columns", i];
    const { column, expression, opclass, order, nulls } =
      typeof key === "string" ? ({ column: key } as Partial<Exclude<typeof key, string>>) : key;
    if ((column === undefined) === (expression === undefined))
      problems.add(at, "a key has either column or expression.");
    if ((order !== undefined || nulls !== undefined) && !ORDERED.has(method))
      problems.add(at, `an index of method ${method} keeps no order.`);
    return {
      column: column ?? null,
      expression: expression ?? null,
      opclass: opclass === undefined ? shared : opclassOf(opclass, [...at, "opclass"]),
      order: order ?? "asc",
      nulls: nulls ?? (order === "desc" ? "first" : "last"),
    };
  });
  return { name, unique: raw.unique ?? false, method, keys, where: raw.where ?? null, columns: [] };
}
