import type { Api } from "../support/api.ts";

/** What one step finds and a later one needs: ids, mostly. */
export interface Found {
  readonly appId: string;
  /** Where a webhook may be sent: a server of this suite, which refuses everything. */
  readonly hookUrl: string;
  /** Tells what this run makes from what others made in the same organisation. */
  readonly run: string;
  [name: string]: any;
}

/** One operation, as each of the two tool lists spells it. */
export interface Step {
  /** Its name under `?tools=verbs`. */
  readonly verb: string;
  readonly tool: string;
  /** Null for a tool that is one operation by itself. */
  readonly action: string | null;
  /** Its arguments; `app_id` is added where `app` is true. */
  readonly args: (found: Found) => Record<string, unknown>;
  readonly app: boolean;
  /** Destroys or overwrites something, or runs what the caller wrote. */
  readonly destroys?: true;
  /** Only a person may do it. */
  readonly person?: true;
  /** It only reads. */
  readonly reads?: true;
  /** It leaves something behind, but nothing a key that may only read should be kept from. */
  readonly forReaders?: true;
  /** Not undone and no loss: also done when an app and an organisation are only to be furnished. */
  readonly furnishes?: true;
  /** Further names it is called by, as `tool action` or as a tool by itself; a list may show them or not. */
  readonly also?: readonly string[];
  /** Fields the compatible tool spells otherwise. */
  readonly spelt?: Readonly<Record<string, string>>;
  /** What must be there first and no step makes. */
  readonly before?: (owner: Api, found: Found) => Promise<void>;
  /** Remembers what later steps need. */
  readonly find?: (output: any, found: Found) => void;
}

type Args = Record<string, unknown> | ((found: Found) => Record<string, unknown>);
type Rest = Omit<Step, "verb" | "tool" | "action" | "args" | "app">;

const step =
  (app: boolean) =>
  (verb: string, form: string, args: Args = {}, rest: Rest = {}): Step => {
    const [tool = "", action = null] = form.split(" ");
    return { verb, tool, action, app, args: typeof args === "function" ? args : () => args, ...rest };
  };

/** A step about the app of the run. */
export const ofApp = step(true);
/** A step that names no app. */
export const ofPlatform = step(false);
export const reads = { reads: true } as const;
export const destroys = { destroys: true } as const;
export const person = { person: true } as const;

/** The call as a one-verb tool. */
export const argsOf = (each: Step, found: Found): Record<string, unknown> => ({
  ...(each.app ? { app_id: found.appId } : {}),
  ...each.args(found),
});

/** The same call at a compatible tool, which spells some fields otherwise. */
export const mergedArgsOf = (each: Step, found: Found, action = each.action): Record<string, unknown> => ({
  ...Object.fromEntries(
    Object.entries(argsOf(each, found)).map(([field, value]) => [each.spelt?.[field] ?? field, value]),
  ),
  ...(action === null ? {} : { action }),
});

/** Every name a step is called by at the compatible list, the merged one first. */
export const formsOf = ({ tool, action, also = [] }: Step): { tool: string; action: string | null }[] => [
  { tool, action },
  ...also.map((form) => {
    const [tool = "", action = null] = form.split(" ");
    return { tool, action };
  }),
];
