import type { AnyOperation, ToolInfo } from "../../kernel/operation.ts";
import type { JsonSchema } from "../../kernel/operation-schema.ts";
import { type ActionForm, actionForm, inputSchemaOf, outputSchemaOf, requiredByAll } from "./tool-schema.ts";

/** A tool as `tools/list` shows it. */
export interface ListedTool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: JsonSchema;
  readonly outputSchema: JsonSchema;
  readonly annotations: {
    readonly title: string;
    readonly readOnlyHint: boolean;
    readonly destructiveHint: boolean;
    readonly idempotentHint: boolean;
    readonly openWorldHint: boolean;
  };
}

/** A name `tools/call` answers to. */
export interface CallableTool {
  readonly name: string;
  /** By action; a tool that is one operation by itself has the single key "". */
  readonly forms: ReadonlyMap<string, ActionForm>;
  readonly argumentNames: ReadonlySet<string>;
  /** Arguments every action requires. */
  readonly required: readonly string[];
}

/** One way to offer the operations: what is listed, and what can be called. */
export interface Toolset {
  readonly listed: readonly ListedTool[];
  readonly callable: ReadonlyMap<string, CallableTool>;
  /** How a caller reaches what `manage_*` calls `tool` and `action`; null when there is no such operation. */
  spell(tool: string, action?: string): string | null;
}

/** Both ways: `merged` has the compatible `manage_*` tools, `verbs` one tool per operation. */
export interface Catalogue {
  readonly merged: Toolset;
  readonly verbs: Toolset;
}

/**
 * Computes every tool once. An operation's aliases can be called in both ways; an alias is listed among the merged
 * tools only when a ToolInfo describes it. Throws on declarations that contradict each other.
 */
export function buildCatalogue(operations: readonly AnyOperation[], tools: readonly ToolInfo[]): Catalogue {
  const offered = operations.filter((operation) => operation.mcp !== undefined);
  const infos = new Map<string, ToolInfo>();
  for (const tool of tools) if (!infos.has(tool.name)) infos.set(tool.name, tool);
  const grouped = new Map<string, Place[]>();
  for (const place of offered.flatMap(placesOf)) {
    grouped.set(place.tool, [...(grouped.get(place.tool) ?? []), place]);
  }
  const merged: Offer[] = [...grouped].map(([name, members]) => ({
    name,
    info: infos.get(name),
    forms: members.map((place) => formOf(members, place)),
  }));
  const verbs: Offer[] = offered.map((operation) => ({
    name: operation.name.replaceAll(".", "_"),
    info: undefined,
    forms: [actionForm(operation, null)],
  }));
  const aliases: Offer[] = offered.flatMap((operation) =>
    (operation.mcp!.aliases ?? []).map((name) => ({
      name,
      info: infos.get(name),
      forms: [actionForm(operation, null, operation.mcp!.rename)],
    })),
  );
  const described = aliases.filter((alias) => alias.info !== undefined);
  const byTool = (tool: string, action?: string) =>
    offered.find((operation) =>
      placesOf(operation).some((place) => place.tool === tool && place.action === action),
    );
  return {
    merged: toolset([...merged, ...described], aliases, (tool, action) => {
      if (byTool(tool, action) === undefined) return null;
      return action === undefined ? tool : `${tool} (action "${action}")`;
    }),
    verbs: toolset(verbs, aliases, (tool, action) => byTool(tool, action)?.name.replaceAll(".", "_") ?? null),
  };
}

/** A tool before it is written out. */
interface Offer {
  readonly name: string;
  readonly info: ToolInfo | undefined;
  readonly forms: readonly ActionForm[];
}

/** A tool an operation stands in, and its action there. */
interface Place {
  readonly operation: AnyOperation;
  readonly tool: string;
  readonly action: string | undefined;
}

function placesOf(operation: AnyOperation): Place[] {
  const { tool, action, also = [] } = operation.mcp!;
  return [{ operation, tool, action }, ...also.map((place) => ({ operation, ...place }))];
}

function formOf(members: readonly Place[], { operation, tool, action }: Place): ActionForm {
  if (action === undefined && members.length > 1) {
    throw new Error(`${operation.name} shares the tool ${tool} and needs an action`);
  }
  return actionForm(operation, action ?? null, operation.mcp!.rename);
}

function toolset(offers: readonly Offer[], hidden: readonly Offer[], spell: Toolset["spell"]): Toolset {
  const callable = new Map<string, CallableTool>();
  for (const offer of offers) {
    if (callable.has(offer.name)) throw new Error(`two tools are called ${offer.name}`);
    callable.set(offer.name, callableOf(offer));
  }
  for (const alias of hidden) {
    const holder = offers.find((offer) => offer.name === alias.name);
    if (holder === undefined && !callable.has(alias.name)) callable.set(alias.name, callableOf(alias));
    else if (holder?.forms[0]?.operation !== alias.forms[0]?.operation) {
      throw new Error(`the alias ${alias.name} names two operations`);
    }
  }
  const listed = offers.map(listedOf).sort((a, b) => (a.name < b.name ? -1 : 1));
  return { listed, callable, spell };
}

function callableOf({ name, forms }: Offer): CallableTool {
  const byAction = new Map<string, ActionForm>();
  for (const form of forms) {
    const key = form.action ?? "";
    if (byAction.has(key)) throw new Error(`the tool ${name} has two actions ${key}`);
    byAction.set(key, form);
  }
  const names = forms.flatMap((form) => Object.keys(form.properties));
  return {
    name,
    forms: byAction,
    argumentNames: new Set(byAction.has("") ? names : [...names, "action"]),
    required: requiredByAll(forms),
  };
}

function listedOf({ name, info, forms }: Offer): ListedTool {
  const single = forms.length === 1 ? forms[0]!.operation : undefined;
  const title = info?.title ?? single?.title ?? titleFrom(name);
  return {
    name,
    title,
    description: descriptionOf(info, forms),
    inputSchema: inputSchemaOf(forms),
    outputSchema: outputSchemaOf(forms),
    annotations: {
      title,
      readOnlyHint: forms.every(({ operation }) => operation.risk === "read"),
      // Nobody can promise what code or a query of the caller's own will leave in place.
      destructiveHint: forms.some(
        ({ operation: { risk, overwrites } }) =>
          risk === "destructive" || risk === "execute" || overwrites === true,
      ),
      idempotentHint: forms.every(({ operation }) => operation.idempotent),
      // Every tool works on this server's own state.
      openWorldHint: false,
    },
  };
}

/** `manage_auth_users` → `Manage auth users`. */
function titleFrom(name: string): string {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Prose, then one line per action with the arguments it takes beyond those of every action. */
function descriptionOf(info: ToolInfo | undefined, forms: readonly ActionForm[]): string {
  if (forms[0]?.action === null) return info?.description ?? withNotes(forms[0].operation);
  const shared = requiredByAll(forms);
  const lines = forms.map((form) => {
    const optional = Object.keys(form.properties).filter((name) => !form.required.includes(name));
    const required = form.required.filter((name) => !shared.includes(name)).sort(appFirst);
    const own = [...required, ...optional.map((name) => `${name}?`)];
    return `- ${form.action}(${own.join(", ")}): ${withNotes(form.operation)}`;
  });
  return [...(info === undefined ? [] : [info.description, ""]), "Actions:", ...lines].join("\n");
}

const appFirst = (a: string, b: string) => Number(b === "app_id") - Number(a === "app_id");

function withNotes(operation: AnyOperation): string {
  return operation.personOnly ? `${operation.summary} Needs a person's key.` : operation.summary;
}
