import type { WorkerEntrypoint } from "cloudflare:workers";
import { DurableObject, type RpcStub } from "cloudflare:workers";

enum Suit {
  Clubs = 1,
  Hearts,
  // biome-ignore lint/style/useLiteralEnumMembers: a computed member is what is tested
  Spades = "S".length + 10,
}

enum Level {
  Low = "low",
  High = "high",
}

namespace Cards {
  export const deck = 52;
  export function half(): number {
    return deck / 2;
  }
}

interface Shape {
  area(): number;
}

abstract class Named implements Shape {
  static made = 0;
  declare readonly phantom: string;
  constructor(
    protected readonly name: string,
    private sides: number = 4,
  ) {
    Named.made += 1;
  }
  abstract area(): number;
  describe(this: Named): string {
    return `${this.name} with ${this.sides} sides and area ${this.area()}`;
  }
}

class Square extends Named {
  constructor(public edge: number) {
    super("square");
  }
  override area(): number {
    return this.edge ** 2;
  }
}

function pick<const T extends readonly unknown[]>(list: T, n: number): T[number];
function pick(list: readonly unknown[], n: number): unknown {
  return list.at(n);
}

type Unused = RpcStub<WorkerEntrypoint> | undefined;
const config = { retries: 3, mode: "fast" } as const satisfies { retries: number; mode: string };

/** The parts of TypeScript that are more than annotations, and those that are not. */
export class TypeScript extends DurableObject {
  private definite!: number;
  optional?: Unused;
  [key: string]: any;

  async fetch(_request: Request): Promise<Response> {
    this.definite = <number>(1 as unknown);
    const maybe: { a?: { b?: number[] } } | null = { a: { b: [1, 2] } };
    let assigned: number | undefined = maybe === null ? 0 : undefined;
    assigned ??= 7;
    const names = [];
    for await (const name of this.generate<string>("x", "y")) names.push(name);
    return Response.json({
      enum: [Suit.Hearts, Suit[2], Suit.Spades],
      constEnum: Level.High,
      namespace: Cards.half(),
      square: new Square(3).describe(),
      made: Named.made,
      edge: new Square(5).edge,
      phantom: "phantom" in new Square(1),
      pick: pick(["a", "b"] as const, -1),
      config,
      optional: maybe!.a!.b![1]! + this.definite,
      ownFields: Object.keys(this).filter((key) => key === "definite" || key === "optional"),
      assigned,
      names,
    });
  }

  private async *generate<T>(...values: T[]): AsyncGenerator<T> {
    for (const value of values) yield value;
  }
}

export type { Shape };
export interface Public {
  readonly ok: true;
}
