import { parse, render } from "./render-value.js";

/**
 * Looks into one instance from inside it, so that nobody ever opens its storage a second time. The operations are
 * `Inspection` of `types.ts`; values come and go in the tagged JSON of `render-value.js`.
 */

/** Tables of workerd's own. It refuses most access itself; this names the reason. */
const INTERNAL = /\b_cf_/i;

const operations = {
  async kv_list({ storage }, { prefix, start, limit }) {
    const found = await storage.list({ prefix, start, limit: limit + 1 });
    const entries = Array.from(found, ([key, value]) => ({ key, value: render(value) }));
    return { entries: entries.slice(0, limit), hasMore: entries.length > limit };
  },

  async kv_get({ storage }, { key }) {
    // `get` can't tell a stored undefined from nothing.
    const found = await storage.get([key]);
    return found.has(key) ? { found: true, value: render(found.get(key)) } : { found: false };
  },

  async kv_put({ storage }, { key, value }) {
    await storage.put(key, parse(value));
    return { stored: true };
  },

  async kv_delete({ storage }, { key }) {
    return { deleted: await storage.delete(key) };
  },

  sql({ storage }, { sql, params = [], limit }) {
    if (INTERNAL.test(sql)) throw new Error("Tables that begin with _cf_ are workerd's own.");
    const cursor = storage.sql.exec(sql, ...params.map(parse));
    const rows = [];
    let truncated = false;
    for (const row of cursor.raw()) {
      if (rows.length >= limit) {
        truncated = true;
        break;
      }
      rows.push(row.map(render));
    }
    const { columnNames, rowsRead, rowsWritten } = cursor;
    return { columns: columnNames, rows, truncated, rowsRead, rowsWritten };
  },

  async alarm({ storage }) {
    return { atMs: await storage.getAlarm() };
  },
};

/**
 * @param {DurableObjectState} ctx
 * @param {Request} request body: an Inspection
 */
export async function inspect(ctx, request) {
  try {
    const inspection = await request.json();
    if (!Object.hasOwn(operations, inspection.op))
      throw new TypeError(`No inspection is called ${inspection.op}.`);
    return Response.json(await operations[inspection.op](ctx, inspection));
  } catch (error) {
    const remediation = "Look at the statement, the key or the value that was sent.";
    const message = String(error?.message ?? error);
    return Response.json({ error: { code: "INSPECTION_FAILED", message, remediation } }, { status: 400 });
  }
}
