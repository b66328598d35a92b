import { DurableObject } from "cloudflare:workers";

/** Private fields and methods, accessors, static blocks, brands. */
export class PrivateMembers extends DurableObject {
  static #instances = 0;
  static readonly limits: Record<string, number> = {};
  #count = 0;
  #secret = "kept";

  static {
    PrivateMembers.limits.most = 3;
  }

  get #next(): number {
    return this.#count + 1;
  }

  set count(value: number) {
    if (value > PrivateMembers.limits.most!) throw new RangeError(`at most ${PrivateMembers.limits.most}`);
    this.#count = value;
  }

  static is(value: object): boolean {
    return #secret in value;
  }

  async fetch(): Promise<Response> {
    PrivateMembers.#instances += 1;
    try {
      this.count = this.#next;
    } catch (error) {
      return new Response(String(error), { status: 409 });
    }
    return Response.json({
      count: this.#count,
      mine: PrivateMembers.is(this),
      other: PrivateMembers.is({}),
      visible: Object.keys(this).includes("#secret"),
      bumped: PrivateMembers.#instances > 0,
    });
  }
}
