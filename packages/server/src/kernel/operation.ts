import type { z } from "zod";
import type { Right, Surface } from "./access.ts";
import type { AmbitError } from "./errors.ts";
import type { Principal } from "./principal.ts";

/** An app as the kernel and every feature see it. */
export interface App {
  readonly id: string;
  readonly organizationId: string;
  readonly name: string;
  readonly subdomain: string;
  readonly accessMode: "public" | "authenticated";
  readonly paused: boolean;
  readonly pausedReason: string | null;
  readonly status: "ready" | "deleting";
  /** Empty: local origins and the base domain only. */
  readonly allowedOrigins: readonly string[];
}

/** Which door a call came through. */
export type Door = "http" | "mcp" | "websocket" | "internal";

/** Everything about one call that is not its input. */
export interface Call {
  readonly principal: Principal;
  /** Why the caller counts as anonymous although it sent a credential; only operations open to everyone see it. */
  readonly principalProblem?: AmbitError | undefined;
  readonly door: Door;
  readonly requestId: string;
  readonly ip: string;
  readonly userAgent: string;
  /** Request headers in lower case, at the HTTP door; for cookies and the host name. */
  readonly headers?: Readonly<Record<string, string | string[] | undefined>>;
  readonly nowMs: number;
  /** Aborted when the caller goes away or the time limit is over. */
  readonly signal: AbortSignal;
}

/** A call that names an app: the app is resolved and the caller's access to it decided. */
export interface AppCall extends Call {
  readonly app: App;
}

/** How dangerous a call is; the policy gateway's classes. */
export type Risk = "read" | "write" | "execute" | "destructive";

/** What the audit log says about a call. */
export interface AuditShape<I> {
  readonly category: "auth" | "admin" | "function";
  readonly action: "create" | "update" | "delete" | "invoke" | "enable" | "disable";
  readonly resourceType: string;
  readonly resourceId?: (input: I) => string | null;
}

/** The HTTP form: path parameters, query and body together make the input. */
export interface HttpForm {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Fastify path; `:app_id` and others are input fields by name. */
  readonly path: string;
  /** Default 200. */
  readonly status?: number | ((output: never) => number);
  /** Wire name → input field, where a client's body spells a field otherwise. */
  readonly rename?: Readonly<Record<string, string>>;
  /** Puts the whole body into this input field. */
  readonly bodyAs?: string;
  /** Makes the response body of the output, where HTTP clients read another shape. */
  readonly present?: (output: never) => unknown;
}

/** The MCP form: an action of a compatible `manage_*` tool, or (without action) a tool by itself. */
export interface McpForm {
  readonly tool: string;
  readonly action?: string;
  /** Argument name → input field, where the tool's argument is spelt otherwise. */
  readonly rename?: Readonly<Record<string, string>>;
  /** What the text block shows, where clients expect another shape than the structured output. */
  readonly present?: (output: never) => unknown;
  /** Further one-verb names for the same operation. */
  readonly aliases?: readonly string[];
  /** Further tools that gather it, under the action it has there. */
  readonly also?: readonly { readonly tool: string; readonly action: string }[];
}

interface OperationBase<I extends z.ZodObject, O extends z.ZodType> {
  /** `<feature>.<verb>`, stable. */
  readonly name: string;
  readonly title: string;
  /** One or two sentences an agent can act on. */
  readonly summary: string;
  readonly input: I;
  readonly output: O;
  readonly right: Right;
  /** Which of a key's two interfaces the operation belongs to. Default `app`. */
  readonly surface?: Surface;
  /** Refused to agent keys, grants, functions and actors, whatever a policy says. */
  readonly personOnly?: boolean;
  readonly risk: Risk;
  /** Replaces what was there: MCP's "destructive" covers every update that does more than add. */
  readonly overwrites?: boolean;
  /** Repeating the call with the same input changes nothing more. */
  readonly idempotent: boolean;
  /** Top-level input fields whose values are never logged or recorded. */
  readonly secretFields?: readonly string[];
  /** Codes this operation can give beyond the kernel's own. */
  readonly errors?: readonly string[];
  /** Absent: the call is not written to the audit log (reads). */
  readonly audit?: AuditShape<z.infer<I>>;
  readonly http?: HttpForm | readonly HttpForm[];
  readonly mcp?: McpForm;
}

/** An operation about one app; its input has `app_id`. */
export interface AppOperation<I extends z.ZodObject, O extends z.ZodType> extends OperationBase<I, O> {
  readonly scope: "app";
  /** Also answers while the app is paused (management does; the data plane does not). Default true. */
  readonly whilePaused?: boolean;
  run(call: AppCall, input: z.infer<I>): Promise<z.input<O>>;
}

/** An operation about an organisation, an account, or the server itself. */
export interface PlatformOperation<I extends z.ZodObject, O extends z.ZodType> extends OperationBase<I, O> {
  readonly scope: "platform";
  run(call: Call, input: z.infer<I>): Promise<z.input<O>>;
}

// biome-ignore lint/suspicious/noExplicitAny: a list of operations holds every input and output type
export type AnyOperation = AppOperation<any, any> | PlatformOperation<any, any>;

/** Declares an operation about one app. Only gives the types; nothing runs. */
export function appOperation<I extends z.ZodObject, O extends z.ZodType>(
  declaration: Omit<AppOperation<I, O>, "scope">,
): AppOperation<I, O> {
  return Object.freeze({ ...declaration, scope: "app" as const });
}

/** Declares an operation that names no app. */
export function platformOperation<I extends z.ZodObject, O extends z.ZodType>(
  declaration: Omit<PlatformOperation<I, O>, "scope">,
): PlatformOperation<I, O> {
  return Object.freeze({ ...declaration, scope: "platform" as const });
}

/** Prose of a `manage_*` tool that gathers several operations. */
export interface ToolInfo {
  readonly name: string;
  readonly title: string;
  readonly description: string;
}

/** What a feature gives to `main`: everything the doors need to know of it. */
export interface Feature {
  readonly name: string;
  readonly operations: readonly AnyOperation[];
  readonly tools?: readonly ToolInfo[];
  /** Catalogue entries, for the docs. */
  readonly errors?: Readonly<Record<string, { status: number; message: string; remediation: string }>>;
  /** OpenAPI path items of a hot lane, whose routes are no operations. */
  readonly paths?: Readonly<Record<string, Readonly<Record<string, object>>>>;
  start?(): Promise<void>;
  stop?(): Promise<void>;
}

/** What an agent should do next; sent as `_meta.next_actions`. */
export interface NextAction {
  readonly action: string;
  readonly description: string;
  readonly tool?: string;
  readonly when?: string;
  readonly recommended?: boolean;
}
