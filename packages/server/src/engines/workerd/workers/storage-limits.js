/**
 * Sizes Cloudflare documents for SQLite-backed objects and open-source workerd does not enforce
 * (developers.cloudflare.com/durable-objects/platform/limits): key and value together 2 MB; string or BLOB 2 MB;
 * 100 bound parameters. Length of statements, columns and LIKE patterns are checked by workerd itself.
 *
 * The methods are replaced on workerd's own prototypes, once per isolate: `ctx.storage` stays what it was.
 */
const MAX_BYTES = 2 * 1024 * 1024;
const MAX_BOUND_PARAMETERS = 100;
/** Chars that surely fit, at up to two bytes each. */
const SURELY_FITS = MAX_BYTES / 2;
const { apply } = Reflect;

const limited = new WeakSet();

/** @param {DurableObjectStorage} storage of any instance; only the first one matters. */
export function limitStorage(storage) {
  if (storage === undefined || !once(storage)) return;
  limitPut(storage);
  replace(
    storage,
    "transaction",
    (transaction) =>
      function limitedTransaction(closure) {
        const run = typeof closure === "function" ? (txn) => closure(withLimits(txn)) : closure;
        return apply(transaction, this, [run]);
      },
  );
  if (storage.kv !== undefined) limitPut(storage.kv);
  if (storage.sql !== undefined) replace(storage.sql, "exec", limitExec);
}

function withLimits(txn) {
  if (once(txn)) limitPut(txn);
  return txn;
}

/** True the first time its class is seen. */
function once(object) {
  const prototype = Object.getPrototypeOf(object);
  if (limited.has(prototype)) return false;
  limited.add(prototype);
  return true;
}

function replace(object, method, make) {
  const prototype = Object.getPrototypeOf(object);
  const original = prototype[method];
  const made = make(original);
  Object.defineProperty(made, "name", { value: method, configurable: true });
  Object.defineProperty(made, "length", { value: original.length, configurable: true });
  Object.defineProperty(prototype, method, {
    value: made,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}

function limitPut(object) {
  replace(
    object,
    "put",
    (put) =>
      function limitedPut(key, value, options) {
        if (typeof key === "string") {
          checkEntry(key, value);
          return options === undefined ? put.call(this, key, value) : put.call(this, key, value, options);
        }
        for (const name in key) checkEntry(name, key[name]);
        return value === undefined ? put.call(this, key) : put.call(this, key, value);
      },
  );
}

function checkEntry(key, value) {
  // Most values: told apart from large ones without a walk.
  if (typeof value === "number" || typeof value === "boolean") {
    if (key.length < SURELY_FITS / 2) return;
  } else if (typeof value === "string" && key.length + value.length < SURELY_FITS) return;
  if (sizeOf(value, MAX_BYTES - utf8Bytes(key)) < 0) {
    throw new RangeError(
      `Key and value combined cannot be larger than ${MAX_BYTES} bytes (2 MB): ${JSON.stringify(key.slice(0, 100))}.`,
    );
  }
}

function limitExec(exec) {
  return function limitedExec(query, ...values) {
    if (values.length > MAX_BOUND_PARAMETERS) {
      throw new Error(
        `too many SQL variables: ${values.length} bound, the limit is ${MAX_BOUND_PARAMETERS}: SQLITE_ERROR`,
      );
    }
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      const large =
        typeof value === "string" ? value.length >= SURELY_FITS / 2 && utf8Bytes(value) : value?.byteLength;
      if (large > MAX_BYTES) {
        throw new Error(
          `string or blob too big: ${large} bytes, the limit is ${MAX_BYTES} (2 MB): SQLITE_TOOBIG`,
        );
      }
    }
    return apply(exec, this, [query, ...values]);
  };
}

function utf8Bytes(text) {
  let bytes = text.length;
  if (bytes * 3 < 1024) return bytes;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) bytes += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1;
  }
  return bytes;
}

/** What is left of `room` after storing the value, about as V8 serialises it; negative when it does not fit. */
function sizeOf(value, room, seen = new Set()) {
  if (typeof value === "string") return room - stringBytes(value);
  if (typeof value !== "object" || value === null) return room - 8;
  if (seen.has(value)) return room - 4;
  seen.add(value);
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return room - value.byteLength;
  if (value instanceof Map || value instanceof Set) {
    for (const entry of value) {
      room = sizeOf(entry, room, seen);
      if (room < 0) return room;
    }
    return room;
  }
  const isArray = Array.isArray(value);
  for (const key of Object.keys(value)) {
    room = sizeOf(value[key], isArray ? room : room - key.length - 2, seen);
    if (room < 0) return room;
  }
  return room - 4;
}

/** V8 writes a string with one byte per unit, or two when any of them needs it. */
function stringBytes(text) {
  if (text.length < 512) return text.length;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0xff) return text.length * 2;
  return text.length;
}
