/**
 * Stored values as JSON and back. What JSON lacks is tagged: `{"$type": "Date", "value": "…"}`. An object of the
 * user's with a `$type` of its own is wrapped in `{"$type": "Object"}`.
 */

const MAX_DEPTH = 64;
const MAX_NODES = 20_000;

const tag = (type, value) => (value === undefined ? { $type: type } : { $type: type, value });

/** @returns JSON-ready form; deeper or larger parts become `{"$type": "Truncated"}`. */
export function render(value) {
  return renderPart(value, { depth: 0, nodes: 0, path: new Set() });
}

function renderPart(value, at) {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : tag("Number", Object.is(value, -0) ? "-0" : String(value));
    case "bigint":
      return tag("BigInt", String(value));
    case "undefined":
      return tag("Undefined");
    case "object":
      return value === null ? null : renderObject(value, at);
    default:
      return tag("Unknown", String(value));
  }
}

function renderObject(value, at) {
  if (at.path.has(value)) return tag("Cycle");
  if (at.depth >= MAX_DEPTH || ++at.nodes > MAX_NODES) return tag("Truncated");
  at.path.add(value);
  at.depth++;
  const rendered = renderKind(value, at);
  at.depth--;
  at.path.delete(value);
  return rendered;
}

function renderKind(value, at) {
  const part = (inner) => renderPart(inner, at);
  if (Array.isArray(value)) return Array.from(value, part);
  if (value instanceof Date)
    return tag("Date", Number.isNaN(value.getTime()) ? "Invalid" : value.toISOString());
  if (value instanceof Map)
    return tag(
      "Map",
      Array.from(value, ([key, held]) => [part(key), part(held)]),
    );
  if (value instanceof Set) return tag("Set", Array.from(value, part));
  if (value instanceof ArrayBuffer) return tag("ArrayBuffer", new Uint8Array(value).toBase64());
  if (ArrayBuffer.isView(value)) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    return tag(value.constructor.name, bytes.toBase64());
  }
  if (value instanceof RegExp) return { $type: "RegExp", value: value.source, flags: value.flags };
  if (value instanceof Error)
    return { $type: "Error", name: value.name, value: value.message, stack: value.stack };
  if (value instanceof Number || value instanceof String || value instanceof Boolean)
    return part(value.valueOf());
  const plain = {};
  for (const key of Object.keys(value)) define(plain, key, part(value[key]));
  return Object.hasOwn(plain, "$type") ? tag("Object", plain) : plain;
}

/** `__proto__` is a key like any other. */
function define(object, key, value) {
  Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
}

const views = {
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
};

/** The value a rendered form stands for. Throws a TypeError on a tag that can't be stored. */
export function parse(form) {
  if (Array.isArray(form)) return form.map(parse);
  if (typeof form !== "object" || form === null) return form;
  if (!Object.hasOwn(form, "$type")) return parseObject(form);
  const { $type: type, value } = form;
  switch (type) {
    case "Object":
      return parseObject(value);
    case "Undefined":
      return undefined;
    case "BigInt":
      return BigInt(value);
    case "Number":
      return Number(value);
    case "Date":
      return new Date(value);
    case "Map":
      return new Map(value.map(([key, held]) => [parse(key), parse(held)]));
    case "Set":
      return new Set(value.map(parse));
    case "RegExp":
      return new RegExp(value, form.flags);
    case "Error":
      return Object.assign(new Error(value), { name: form.name });
    case "ArrayBuffer":
      return Uint8Array.fromBase64(value).buffer;
    case "DataView":
      return new DataView(Uint8Array.fromBase64(value).buffer);
    default:
      if (!Object.hasOwn(views, type))
        throw new TypeError(`Values of $type ${JSON.stringify(type)} can't be written.`);
      return new views[type](Uint8Array.fromBase64(value).buffer);
  }
}

function parseObject(form) {
  const object = {};
  for (const key of Object.keys(form)) define(object, key, parse(form[key]));
  return object;
}
