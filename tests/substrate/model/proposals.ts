import type { Dice } from "./dice.ts";
import type { Data, Kind } from "./memory.ts";
import { principleFields } from "./principles.ts";
import type { Proposal, World } from "./world.ts";

/** A payload as it is sent and as it is stored. */
interface Payload {
  readonly sent: Data;
  readonly stored: Data;
}

const PREFIX: Readonly<Record<Kind, string>> = {
  entity: "ent",
  decision: "dec",
  commitment: "com",
  learning: "lrn",
  source_artifact: "art",
  link: "lnk",
};
const KINDS = Object.keys(PREFIX) as Kind[];

/** Words of titles, to be searched for; too short for anybody to correct. */
export const WORDS = ["qa1", "qb2", "qc3", "qd4", "qe5", "qf6", "qg7"];

/** Draws proposals that mean something in the world as it is, and now and then some that don't. */
export class Proposals {
  readonly #dice: Dice;
  readonly #world: World;
  #made = 0;

  constructor(dice: Dice, world: World) {
    this.#dice = dice;
    this.#world = world;
  }

  draw(): Proposal {
    const dice = this.#dice;
    if (dice.chance(0.01)) return { capability: "dream_up", sent: { title: "?" }, stored: null };
    const capability = dice.weighted(WEIGHTS);
    const payload = this.#payload(capability);
    if (dice.chance(0.05)) return { capability, sent: this.#spoilt(capability, payload.sent), stored: null };
    return { capability, ...payload, ...(dice.chance(0.3) ? { skip: true } : {}) };
  }

  /** A proposal nothing else has to do with: it makes something new. */
  alone(): Proposal {
    const dice = this.#dice;
    const name = `alone-${this.#made++}-${dice.int(1_000_000)}`;
    const capability = dice.pick([
      "record_learning",
      "record_decision",
      "upsert_entity",
      "upsert_source_artifact",
    ]);
    const payloads: Data = {
      record_learning: { title: this.#title(), description: name },
      record_decision: { title: this.#title(), kind: "operational", salience: "normal" },
      upsert_entity: { type: "company", display_name: name, canonical_keys: { alone: name } },
      upsert_source_artifact: { kind: "email", title: name, external_system: "alone", external_id: name },
    };
    return { capability, sent: payloads[capability], stored: payloads[capability] };
  }

  /** A proposal about this entity alone. */
  about(entityId: string, type: string): Proposal {
    const payload = { id: entityId, type, display_name: `${this.#title()} ${this.#made++}` };
    return { capability: "upsert_entity", sent: payload, stored: payload };
  }

  #payload(capability: string): Payload {
    const both = (payload: Data): Payload => ({ sent: payload, stored: payload });
    switch (capability) {
      case "upsert_entity":
        return this.#entity();
      case "update_entity":
      case "patch_entity":
        return this.#entityChange(capability);
      case "record_decision":
        return this.#decision();
      case "record_commitment":
        return this.#commitment();
      case "record_learning":
        return this.#learning();
      case "upsert_source_artifact":
        return this.#artifact();
      case "link_records":
        return both({ ...this.#ends(), ...this.#maybe(0.4, { attrs: this.#attrs() }) });
      case "unlink_records":
        return both(this.#unlink());
      case "record_principle":
        return this.#principle();
      case "amend_principle":
        return both(this.#amendment());
      case "retire_principle":
        return both({ principle_id: this.#principleId(), reason: "No longer needed" });
      case "supersede_decision":
        return both({
          ...{ old_decision_id: this.#id("decision"), new_title: this.#title(), kind: "strategic" },
          ...this.#maybe(0.5, { new_rationale: "Times change" }),
        });
      case "delete_entity":
        return both({ id: this.#id("entity"), reason: "Gone" });
      case "merge_entities":
        return both(this.#merge());
      case "revert_action":
        return both({ action_id: this.#actionId() });
      case "bulk_revert_actions":
        return both({ action_ids: this.#actionIds(), reason: "All a mistake" });
      case "send_email_draft":
        return both({ to: "ada@example.com", subject: this.#title(), body: "Dear Ada" });
      default:
        return both({ to: "+49 30 1234", purpose: this.#title() });
    }
  }

  #title(): string {
    return `${this.#dice.pick(["Plan", "Note", "Rule", "Talk"])} ${this.#dice.pick(WORDS)}`;
  }

  #maybe(probability: number, fields: Data): Data {
    return this.#dice.chance(probability) ? fields : {};
  }

  #present(kind: Kind): string[] {
    return this.#world.memory
      .all()
      .filter(({ state }) => state.kind === kind)
      .map(({ id }) => id);
  }

  /** Mostly one of the kind; else one that is gone, was merged away, is of another kind, or never was. */
  #id(kind: Kind): string {
    const dice = this.#dice;
    const present = this.#present(kind);
    if (present.length > 0 && dice.chance(0.88)) return dice.pick(present);
    const gone = [...this.#world.memory.histories.keys()].filter(
      (id) => id.startsWith(PREFIX[kind]) && this.#world.memory.now(id) === null,
    );
    if (gone.length > 0 && dice.chance(0.6)) return dice.pick(gone);
    const others = this.#present(dice.pick(KINDS));
    if (others.length > 0 && dice.chance(0.5)) return dice.pick(others);
    return `${PREFIX[kind]}_01${"0".repeat(23)}${dice.int(9)}`;
  }

  #anyId(): string {
    return this.#id(
      this.#dice.weighted([...KINDS.map((kind) => [1, kind] as const), [4, "entity" as const]]),
    );
  }

  #reference(name: string, kind: Kind, probability = 0.3): Data {
    return this.#maybe(probability, { [name]: this.#id(kind) });
  }

  #attrs(): Data {
    const dice = this.#dice;
    return {
      ...this.#maybe(0.5, { team: dice.pick(["sales", "support", "Legal", " legal"]) }),
      ...this.#maybe(0.3, { budget: dice.pick([0, 5.5, 99.99, 1_000, "a lot"]) }),
      ...this.#maybe(0.3, { tags: dice.some(["red", "green", "blue"], 2) }),
      ...this.#maybe(0.2, { deep: { a: dice.int(3), b: { c: dice.pick([null, true, "x"]) } } }),
    };
  }

  #email(): string {
    const dice = this.#dice;
    return `${dice.pick(["ada", "Ada", "ben", "cy"])}@${dice.pick(["x.org", "X.org", "y.org"])}`;
  }

  #entity(): Payload {
    const dice = this.#dice;
    const type = dice.weighted([
      [6, "person"],
      [3, "company"],
      [1, "project"],
    ]);
    const keys: Data = {
      ...this.#maybe(0.6, { crm: dice.chance(0.3) ? dice.int(9) : ` ${dice.int(9)}` }),
      ...this.#maybe(0.2, { github: `g${dice.int(5)}` }),
      ...this.#maybe(0.1, { email: this.#email() }),
    };
    const email = dice.chance(0.35) ? ` ${this.#email()} ` : undefined;
    const rest = {
      ...{ type, display_name: this.#title() },
      ...this.#reference("id", "entity", 0.15),
      ...this.#maybe(0.5, { attrs: this.#attrs() }),
      ...this.#maybe(0.1, { linked_app_user_id: `00000000-0000-4000-8000-00000000000${dice.int(4)}` }),
    };
    const sent = {
      ...rest,
      ...(Object.keys(keys).length > 0 ? { canonical_keys: keys } : {}),
      ...(email === undefined ? this.#maybe(0.2, { primary_email: null }) : { primary_email: email }),
    };
    const trimmed = Object.fromEntries(
      Object.entries(keys).map(([name, value]) => [name, String(value).trim()]),
    );
    const stored = {
      ...rest,
      ...(Object.keys(keys).length > 0 ? { canonical_keys: trimmed } : {}),
      ...(email === undefined ? {} : { primary_email: email.trim() }),
    };
    return { sent, stored };
  }

  #entityChange(capability: string): Payload {
    const dice = this.#dice;
    const id = this.#id("entity");
    const attrs = capability === "update_entity" ? "attrs" : "attrs_patch";
    const patch = { ...this.#attrs(), ...this.#maybe(0.5, { team: null, deep: { a: null } }) };
    const payload: Data = {
      id,
      ...this.#maybe(0.4, { display_name: this.#title() }),
      ...this.#maybe(0.3, { primary_email: dice.chance(0.3) ? null : this.#email() }),
    };
    if (Object.keys(payload).length === 1 || dice.chance(0.5)) payload[attrs] = patch;
    if (capability === "patch_entity" && dice.chance(0.4)) {
      const at = this.#world.memory.last(this.#world.memory.leadsTo(id) ?? id)?.from ?? 0;
      payload.if_updated_at = new Date(at - (dice.chance(0.3) ? 1 : 0)).toISOString();
    }
    return { sent: payload, stored: payload };
  }

  #decision(): Payload {
    const dice = this.#dice;
    const payload = {
      ...{ title: this.#title(), kind: dice.pick(["operational", "mission", "principle", "strategic"]) },
      ...this.#maybe(0.4, { rationale: `Because of ${dice.pick(WORDS)}` }),
      ...this.#reference("source_artifact_id", "source_artifact", 0.2),
    };
    if (dice.chance(0.3)) {
      const salience = dice.pick(["ambient", "normal", "archival"]);
      return { sent: { ...payload, salience }, stored: { ...payload, salience } };
    }
    return {
      sent: { ...payload, ...this.#maybe(0.2, { salience: null }) },
      stored: { ...payload, salience: "normal" },
    };
  }

  #commitment(): Payload {
    const dice = this.#dice;
    const payload = {
      description: dice.chance(0.2) ? `${this.#title()}\nand more of it` : this.#title(),
      status: dice.pick(["proposed", "tentative", "confirmed", "fulfilled", "expired", "broken"]),
      ...this.#reference("from_entity", "entity"),
      ...this.#reference("to_entity", "entity"),
      ...this.#maybe(0.6, { amount: dice.pick([0.1, 0.2, 0.3, 12.5, 99.99, 500, 1_000, 0, -5]) }),
      ...this.#maybe(0.5, { attrs: this.#attrs() }),
      ...this.#reference("source_artifact_id", "source_artifact", 0.15),
    };
    const unit = dice.weighted([
      [4, undefined],
      [4, "EUR"],
      [2, " eur "],
      [2, "USD"],
    ]);
    const due = dice.pick(DUE);
    return {
      sent: {
        ...payload,
        ...(unit === undefined ? {} : { unit }),
        ...(due === null ? {} : { due_at: due[0] }),
      },
      stored: {
        ...payload,
        ...(unit === undefined ? {} : { unit: unit.trim() }),
        ...(due === null ? {} : { due_at: due[1] }),
      },
    };
  }

  #learning(): Payload {
    const stored = {
      ...{ title: this.#title(), description: "It turned out otherwise" },
      ...this.#maybe(0.3, { resolution_taken: "Wait" }),
      ...this.#reference("related_decision_id", "decision"),
      ...this.#reference("source_artifact_id", "source_artifact", 0.2),
    };
    return { sent: { ...this.#maybe(0.1, { resolution_taken: null }), ...stored }, stored };
  }

  #artifact(): Payload {
    const dice = this.#dice;
    const external = dice.chance(0.7)
      ? { external_system: dice.pick(["gmail", "drive"]), external_id: `m${dice.int(6)}` }
      : {};
    const links = dice.chance(0.4)
      ? {
          entity_ids: dice.some([this.#id("entity"), this.#id("entity")], 2),
          project_tags: dice.some(["a", "b"], 2),
        }
      : undefined;
    const stored: Data = {
      ...{ kind: dice.pick(["email", "meeting"]), title: this.#title() },
      ...external,
      ...this.#reference("id", "source_artifact", 0.1),
      ...this.#maybe(0.3, { summary: "In short" }),
      ...this.#maybe(0.3, { content: "At length" }),
      ...this.#maybe(0.3, { attrs: this.#attrs() }),
    };
    if (links === undefined) return { sent: stored, stored };
    const { project_tags, entity_ids } = links;
    const sent = { ...stored, links: project_tags.length === 0 ? { entity_ids } : links };
    return { sent, stored: { ...stored, links: { project_tags, entity_ids: [...new Set(entity_ids)] } } };
  }

  #ends(): Data {
    return { from_id: this.#anyId(), to_id: this.#anyId(), relation: this.#dice.pick(["knows", "works_at"]) };
  }

  #unlink(): Data {
    const links = this.#present("link");
    if (links.length === 0 || this.#dice.chance(0.2)) return this.#ends();
    const link_id = this.#id("link");
    const { data = null } = this.#world.memory.now(link_id) ?? {};
    if (data?.relation === undefined || this.#dice.chance(0.5)) return { link_id };
    return { from_id: data.from_id, to_id: data.to_id, relation: data.relation };
  }

  #principle(): Payload {
    const payload = { title: this.#title(), ...principleFields(this.#dice) };
    return { sent: payload, stored: { ...payload, salience: "ambient" } };
  }

  #principleId(): string {
    const principles = this.#present("decision").filter(
      (id) => this.#world.memory.now(id)!.data.kind === "principle",
    );
    return principles.length > 0 && this.#dice.chance(0.9)
      ? this.#dice.pick(principles)
      : this.#id("decision");
  }

  #amendment(): Data {
    const { applies_to, constraint_spec } = principleFields(this.#dice);
    const changes: Data = {
      ...this.#maybe(0.3, { title: this.#title() }),
      ...this.#maybe(0.3, { applies_to }),
      ...this.#maybe(0.5, { constraint_spec }),
    };
    if (Object.keys(changes).length === 0) changes.rationale = "Said anew";
    return { principle_id: this.#principleId(), ...changes };
  }

  #merge(): Data {
    const ofType = (type: string) =>
      this.#present("entity").filter((id) => this.#world.memory.now(id)!.data.type === type);
    const people = ofType("person");
    if (people.length < 2 || this.#dice.chance(0.2))
      return { loser_id: this.#id("entity"), winner_id: this.#id("entity"), reason: "The same" };
    const [loser_id, winner_id] = this.#dice.some(people, 2);
    return { loser_id, winner_id, reason: "The same" };
  }

  #actionId(): string {
    const dice = this.#dice;
    const actions = [...this.#world.actions.keys()];
    if (actions.length === 0 || dice.chance(0.05)) return `act_01${"0".repeat(24)}`;
    // What was done a moment ago can mostly be undone, what was done long ago mostly not.
    const recent = actions.slice(-12);
    return dice.chance(0.7) ? dice.pick(recent) : dice.pick(actions);
  }

  #actionIds(): string[] {
    const count = 1 + this.#dice.int(8);
    return [...new Set(Array.from({ length: count }, () => this.#actionId()))];
  }

  /** The payload so that it can't be read any more. */
  #spoilt(capability: string, payload: Data): Data {
    const strict = !["revert_action", "bulk_revert_actions", "send_email_draft", "place_call"].includes(
      capability,
    );
    const required = REQUIRED[capability]!;
    if (required.length === 0 || (strict && this.#dice.chance(0.3))) return { ...payload, bogus: 1 };
    const name = this.#dice.pick(required);
    const { [name]: _, ...without } = payload;
    return this.#dice.chance(0.5) ? without : { ...payload, [name]: 5 };
  }
}

const DUE: readonly (readonly [string, string] | null)[] = [
  null,
  ["2027-01-31", "2027-01-31T00:00:00.000Z"],
  ["2027-01-31T09:00:00+02:00", "2027-01-31T07:00:00.000Z"],
  ["2027-01-31T09:00:00", "2027-01-31T09:00:00.000Z"],
];

const WEIGHTS: readonly (readonly [number, string])[] = [
  [16, "upsert_entity"],
  [6, "update_entity"],
  [8, "patch_entity"],
  [5, "record_decision"],
  [9, "record_commitment"],
  [5, "record_learning"],
  [6, "upsert_source_artifact"],
  [8, "link_records"],
  [3, "unlink_records"],
  [12, "revert_action"],
  [5, "record_principle"],
  [3, "amend_principle"],
  [3, "retire_principle"],
  [2, "supersede_decision"],
  [5, "delete_entity"],
  [8, "merge_entities"],
  [4, "bulk_revert_actions"],
  [2, "send_email_draft"],
  [1, "place_call"],
];

const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  upsert_entity: ["type", "display_name"],
  update_entity: ["id"],
  patch_entity: ["id"],
  record_decision: ["title", "kind"],
  record_commitment: ["description", "status"],
  record_learning: ["title", "description"],
  upsert_source_artifact: ["kind", "title"],
  link_records: ["from_id", "to_id", "relation"],
  unlink_records: [],
  revert_action: ["action_id"],
  record_principle: ["title", "applies_to", "constraint_spec"],
  amend_principle: ["principle_id"],
  retire_principle: ["principle_id", "reason"],
  supersede_decision: ["old_decision_id", "new_title", "kind"],
  delete_entity: ["id", "reason"],
  merge_entities: ["loser_id", "winner_id", "reason"],
  bulk_revert_actions: ["action_ids", "reason"],
  send_email_draft: ["to", "subject", "body"],
  place_call: ["to", "purpose"],
};
