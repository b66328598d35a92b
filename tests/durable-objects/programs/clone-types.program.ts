import { DurableObject } from "cloudflare:workers";

/** Values that JSON does not know, through storage and back, also after the instance was gone. */
export class CloneTypes extends DurableObject {
  async fetch(request: Request): Promise<Response> {
    const { storage } = this.ctx;
    if (request.method === "PUT") {
      const cyclic: Record<string, unknown> = { name: "cycle" };
      cyclic.self = cyclic;
      await storage.put({
        map: new Map<unknown, unknown>([
          ["a", new Set([1, "2"])],
          [3, { n: 1n }],
        ]),
        date: new Date(1_000),
        bytes: new Uint8Array([1, 2, 255]),
        buffer: new Uint16Array([1, 65_535]).buffer,
        floats: new Float64Array([0.1, Number.NaN, -0]),
        big: 2n ** 80n,
        pattern: /a+b/gi,
        error: new RangeError("too far"),
        numbers: [Number.POSITIVE_INFINITY, -0, Number.NaN],
        sparse: Object.assign(new Array(3), { 0: 1, 2: 3 }),
        cyclic,
      });
      return new Response(await this.refused());
    }
    const value = await storage.get<any>([
      "map",
      "date",
      "bytes",
      "buffer",
      "floats",
      "big",
      "pattern",
      "error",
      "numbers",
      "sparse",
      "cyclic",
    ]);
    const map = value.get("map");
    return Response.json({
      set: [...map.get("a")],
      bigInMap: String(map.get(3).n),
      date: value.get("date").getTime(),
      bytes: [value.get("bytes").constructor.name, ...value.get("bytes")],
      buffer: [...new Uint16Array(value.get("buffer"))],
      floats: [...value.get("floats")].map((n) => (Object.is(n, -0) ? "-0" : String(n))),
      big: String(value.get("big")),
      pattern: String(value.get("pattern")),
      error: [value.get("error") instanceof RangeError, value.get("error").message],
      numbers: value.get("numbers").map((n: number) => (Object.is(n, -0) ? "-0" : String(n))),
      sparse: [value.get("sparse").length, 1 in value.get("sparse")],
      cyclic: value.get("cyclic").self === value.get("cyclic"),
    });
  }

  private async refused(): Promise<string> {
    const names: string[] = [];
    for (const value of [() => 1, Symbol("s"), { f() {} }, new WeakMap()]) {
      try {
        await this.ctx.storage.put("bad", value);
        names.push("accepted");
      } catch (error) {
        names.push((error as Error).name);
      }
    }
    return names.join(" ");
  }
}
