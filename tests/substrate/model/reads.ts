import { expect } from "vitest";
import { must } from "../../support/app.ts";
import { allPages, type Caller, SUBSTRATE } from "../../support/substrate.ts";
import type { Data, State, Version } from "./memory.ts";
import { WORDS } from "./proposals.ts";
import { type Run, readRow, rowOf } from "./steps.ts";

const iso = (ms: number): string => new Date(ms).toISOString();

function subtypeOf({ kind, data }: State): string | null {
  if (kind === "entity") return data.type;
  if (kind === "link") return data.relation;
  return kind === "decision" || kind === "source_artifact" ? data.kind : null;
}

function titleOf({ kind, data }: State): string {
  if (kind === "entity") return data.display_name;
  if (kind === "link") return data.relation;
  return kind === "commitment" ? data.description.split("\n")[0] : data.title;
}

const statusOf = ({ data }: State): string => data.status ?? "active";

const origin = (version: Version): Data => ({
  source_app_id: version.state!.app,
  action_id: version.action,
  created_by_action: version.state!.createdBy,
  version: version.version,
  created_at: iso(version.state!.createdAt),
  updated_at: iso(version.from),
});

/** A record by itself, as `get_record` gives it. */
export const whole = (id: string, version: Version): Data => ({
  ...{ id, kind: version.state!.kind, subtype: subtypeOf(version.state!), title: titleOf(version.state!) },
  ...{ status: statusOf(version.state!), data: version.state!.data, ...origin(version) },
});

/** A record as its own fields, as lists of one kind give it. */
function fields(id: string, version: Version): Data {
  const { content: _, ...data } = version.state!.data;
  return { ...data, id, status: statusOf(version.state!), ...origin(version) };
}

/** A record as a list of the memory gives it, as far as the model knows. */
const listed = (id: string, version: Version): Data => {
  const { data } = version.state!;
  const { data: _, ...rest } = whole(id, version);
  const { source_artifact_id = null, supersedes = null, superseded_by = null } = data;
  return { ...rest, source_artifact_id, supersedes, superseded_by };
};

const pickListed = (row: Data): Data => {
  const { snippet: _, body_text: _text, body_truncated: _cut, rank: _rank, ...rest } = row;
  return rest;
};

interface Known {
  readonly id: string;
  readonly version: Version;
  readonly state: State;
}

/** What a caller may see of what was known at an instant. */
function known({ world }: Run, { app }: Caller, instant?: number): Known[] {
  return world.memory.all(instant).filter(({ state }) => world.visible(app, state));
}

const newestMade = (rows: Known[]): Known[] => [...rows].sort((a, b) => (a.id < b.id ? 1 : -1));
const latest = (rows: Known[]): Known[] =>
  [...rows].sort((a, b) => b.version.from - a.version.from || (a.id < b.id ? 1 : -1));

/**
 * An instant at which something was known: exactly when it changed, just before, or just after; undefined: now. Of one
 * record mostly when it, or what its id leads to, changed.
 */
function someInstant({ dice, world }: Run, id?: string): number | undefined {
  const timesOf = (each: string) => (world.memory.histories.get(each) ?? []).map(({ from }) => from);
  const own = id === undefined ? [] : [id, world.memory.leadsTo(id) ?? id].flatMap(timesOf);
  const all = [...world.memory.histories.keys()].flatMap(timesOf);
  if (all.length === 0 || dice.chance(0.3)) return undefined;
  return dice.pick(own.length > 0 && dice.chance(0.7) ? own : all) + dice.pick([-1, 0, 0, 1]);
}

const asOf = (instant: number | undefined): string => (instant === undefined ? "" : `&as_of=${iso(instant)}`);

/** Compares all reads with the model, for one caller, now or as of an instant. */
export async function compareReads(run: Run, caller: Caller): Promise<void> {
  const { trail } = run;
  const instant = someInstant(run);
  trail.push(`${caller.name} reads as of ${instant === undefined ? "now" : iso(instant)}`);
  const rows = known(run, caller, instant);
  const at = asOf(instant);
  const entities = await caller.api("GET", `${SUBSTRATE}/entities?limit=1000&count=true${at}`);
  const ofKind = (kind: string) => rows.filter(({ state }) => state.kind === kind);
  const expectedEntities = newestMade(ofKind("entity")).map(({ id, version }) => fields(id, version));
  expect(must(entities).entities, "entities").toEqual(expectedEntities);
  expect(entities.body.total).toBe(expectedEntities.length);
  const artifacts = must(await caller.api("GET", `${SUBSTRATE}/source-artifacts?limit=200${at}`));
  const expectedArtifacts = newestMade(ofKind("source_artifact")).map(({ id, version }) =>
    fields(id, version),
  );
  expect(artifacts.source_artifacts, "source artifacts").toEqual(expectedArtifacts);
  expect(artifacts.artifacts).toEqual(artifacts.source_artifacts);
  const list = `${SUBSTRATE}/memory/list?limit=${run.dice.pick([7, 40, 100])}${at}`;
  const memory = await allPages(caller.api, list, "results", { answer: "next_before", query: "before" });
  expect(memory.map(pickListed), "the memory").toEqual(
    latest(rows).map(({ id, version }) => listed(id, version)),
  );
  const principles = must(
    await caller.api("GET", `${SUBSTRATE}/principles?status=all&limit=200${at}`),
  ).principles;
  const expectedPrinciples = latest(ofKind("decision")).filter(
    ({ state }) => state.data.kind === "principle",
  );
  expect(principles, "principles").toEqual(expectedPrinciples.map(({ id, version }) => fields(id, version)));
  await compareSearch(run, caller, rows, at);
}

async function compareSearch({ dice }: Run, caller: Caller, rows: Known[], at: string): Promise<void> {
  const word = dice.pick(WORDS);
  const found = must(await caller.api("GET", `${SUBSTRATE}/memory?q=${word}&limit=200${at}`)).results;
  const texts = ({ data }: State) =>
    [data.display_name, data.title, data.description, data.rationale].filter(
      (text) => typeof text === "string",
    );
  const having = rows.filter(({ state }) => texts(state).some((text) => text.includes(word)));
  expect(found.map(({ id }: Data) => id).sort(), `what is found by ${word}`).toEqual(
    having.map(({ id }) => id).sort(),
  );
}

/** Compares a few records by their ids, present and gone, with their histories. */
export async function compareRecords(run: Run, caller: Caller): Promise<void> {
  const { dice, world, trail } = run;
  const ids = [...world.memory.histories.keys()];
  const gone = ids.filter((id) => world.memory.now(id) === null);
  for (const id of [...dice.some(gone, 4), ...dice.some(ids, 4)]) {
    const instant = someInstant(run, id);
    trail.push(`${caller.name} reads ${id} as of ${instant === undefined ? "now" : iso(instant)}`);
    const there = world.memory.leadsTo(id, instant);
    const version = there === null ? undefined : world.memory.at(there, instant ?? Number.POSITIVE_INFINITY);
    const seen = version?.state && world.visible(caller.app, version.state) ? version : undefined;
    const answer = await caller.api("GET", `${SUBSTRATE}/memory/${id}?${asOf(instant).slice(1)}`);
    if (seen === undefined) expect(answer.status, `${id} is not there`).toBe(404);
    else {
      const alias = there === id ? {} : { requested_id: id, alias_of: there };
      expect(must(answer), id).toEqual({ ...whole(there!, seen), ...alias });
    }
    if (caller.app === null) await compareHistory(run, caller, id);
  }
}

async function compareHistory({ world }: Run, caller: Caller, id: string): Promise<void> {
  const path = `${SUBSTRATE}/memory/${id}/history?limit=3`;
  const told = await allPages(caller.api, path, "versions", { answer: "next_before", query: "before" });
  const versions = world.memory.histories.get(id)!;
  const expected = versions.map((version, at) => ({
    ...{ version: version.version, action_id: version.action, known_from: iso(version.from) },
    known_until: versions[at + 1] === undefined ? null : iso(versions[at + 1]!.from),
    restores: version.origin === version.version ? null : version.origin,
    deleted: version.state === null,
    record: version.state === null ? null : withoutContent(whole(id, version)),
  }));
  expect(told, `the history of ${id}`).toEqual(expected.reverse());
}

function withoutContent(record: Data): Data {
  if (record.kind !== "source_artifact") return record;
  const { content: _, ...data } = record.data;
  return { ...record, data };
}

/** Compares all actions and conflicts, and what is set. */
export async function compareActions(run: Run, caller: Caller): Promise<void> {
  const { dice, world, trail } = run;
  trail.push(`${caller.name} reads actions`);
  const filter = dice.pick<Data>([
    {},
    { status: "proposed" },
    { status: "executed" },
    { capability: "upsert_entity" },
  ]);
  const query = new URLSearchParams({ limit: String(dice.pick([9, 100, 500])), ...filter });
  const path = `${SUBSTRATE}/actions?${query}`;
  const told = await allPages(caller.api, path, "actions", { answer: "next_before", query: "before" });
  const expected = [...world.actions.values()]
    .filter(({ proposer }) => caller.app === null || proposer.app === caller.app)
    .filter((action) => Object.entries(filter).every(([name, value]) => (action as Data)[name] === value))
    .sort((a, b) => (a.id < b.id ? 1 : -1))
    .map((action) => rowOf(world, action, caller.app));
  expect(told.map(readRow), "actions").toEqual(expected);
  const conflicts = await allPages(caller.api, `${SUBSTRATE}/policy-conflicts?limit=50`, "conflicts", {
    ...{ answer: "next_before", query: "before" },
  });
  const view = (action: string, { principle, status, resolution }: Data) =>
    `${action} ${principle} ${status} ${resolution}`;
  const open = [...world.actions.values()]
    .filter(({ proposer }) => caller.app === null || proposer.app === caller.app)
    .flatMap(({ id, conflicts }) => conflicts.map((each) => view(id, each)));
  const shown = conflicts.map((each) => view(each.action_id, { ...each, principle: each.principle_id }));
  expect(shown.sort(), "conflicts").toEqual(open.sort());
  await compareSettings(run, caller);
}

/** Compares what is set. */
export async function compareSettings({ world }: Run, caller: Caller): Promise<void> {
  const settings = must(await caller.api("GET", `${SUBSTRATE}/settings`));
  expect([settings.yolo_mode, settings.four_eyes]).toEqual([world.yolo, world.fourEyes]);
  for (const { name, mode, default_mode, approvers, set_by_owner } of settings.capabilities) {
    const policy = world.policies.get(name);
    expect([name, mode, approvers, set_by_owner]).toEqual([
      ...[name, policy?.mode ?? default_mode, policy?.approvers ?? 1, policy !== undefined],
    ]);
  }
}
