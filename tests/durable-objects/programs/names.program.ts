import { DurableObject } from "cloudflare:workers";

/** What an id is: the same for the same name, refused when it is another class's or nonsense. */
export class Names extends DurableObject<{ NAMES: DurableObjectNamespace; COUNTER: DurableObjectNamespace }> {
  async fetch(request: Request): Promise<Response> {
    const { NAMES, COUNTER } = this.env;
    const refused = (work: () => unknown) => {
      try {
        work();
        return false;
      } catch (error) {
        return (error as Error).name;
      }
    };
    const url = new URL(request.url);
    if (url.pathname.endsWith("/whoami")) {
      return Response.json({
        name: this.ctx.id.name ?? null,
        same: this.ctx.id.equals(NAMES.idFromName("self")),
      });
    }
    const [a, b] = [NAMES.idFromName("a"), NAMES.idFromName("a")];
    const unique = NAMES.newUniqueId();
    const throughName = await NAMES.getByName("self").fetch("http://inside/_do/names/self/whoami");
    return Response.json({
      sameName: a.equals(b),
      sameText: a.toString() === b.toString(),
      otherName: a.equals(NAMES.idFromName("b")),
      otherClass: a.toString() === COUNTER.idFromName("a").toString(),
      digits: /^[0-9a-f]{64}$/.test(a.toString()),
      roundTrip: NAMES.idFromString(unique.toString()).equals(unique),
      unique: NAMES.newUniqueId().equals(unique),
      nameOfUnique: unique.name ?? null,
      foreign: refused(() => COUNTER.idFromString(unique.toString())),
      malformed: refused(() => NAMES.idFromString("not an id")),
      throughName: await throughName.json(),
    });
  }
}
