import { type ToolDefinition, type Validation, validate } from "@ambit/policy";
import type { Platform } from "../../engines/platform.ts";
import type { GatewayServer, GatewayServersService } from "../gateway-servers/service.ts";
import { textOf } from "./document.ts";
import { policyErrors } from "./errors.ts";
import { limits } from "./limits.ts";

/** A document that was looked at. */
export interface Checked extends Validation {
  readonly text: string;
}

export interface DocumentCheck {
  /** Every problem and every warning. `server` null: names of tools and arguments are not looked up. */
  look(document: unknown, server: GatewayServer | null): Promise<Checked>;
  /** The same; throws POLICY_INVALID with all problems. */
  demand(document: unknown, server: GatewayServer): Promise<Checked>;
}

const NOT_LOOKED_UP = {
  pointer: "",
  message: "The server did not tell its tools, so names of tools and arguments were not looked up.",
};

export function createDocumentCheck(
  { log, metrics }: Pick<Platform, "log" | "metrics">,
  servers: Pick<GatewayServersService, "tools">,
): DocumentCheck {
  /** The server's tools; null when it does not tell them in time: a policy can be written while it is down. */
  const toolsOf = async (server: GatewayServer): Promise<readonly ToolDefinition[] | null> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(resolve, limits.toolsMs, null);
    });
    const tools = servers.tools(server).catch((error) => {
      log.debug({ err: error, server: server.id }, "a server's tools are not known for a policy's warnings");
      return null;
    });
    const told = await Promise.race([tools, late]);
    clearTimeout(timer);
    return told;
  };

  const look = async (document: unknown, server: GatewayServer | null): Promise<Checked> => {
    const text = textOf(document);
    const bytes = Buffer.byteLength(text);
    if (bytes > limits.documentBytes) {
      metrics.limitsHit.inc({ limit: "gateway_policy_bytes" });
      const message = `The document has ${bytes} bytes; it may have ${limits.documentBytes}.`;
      return { text, valid: false, problems: [{ pointer: "", message }], warnings: [] };
    }
    const tools = server === null ? null : await toolsOf(server);
    const validation = tools === null ? validate({ text }) : validate({ text }, tools);
    if (server === null || tools !== null) return { text, ...validation };
    return { text, ...validation, warnings: [...validation.warnings, NOT_LOOKED_UP] };
  };

  return {
    look,
    async demand(document, server) {
      const checked = await look(document, server);
      if (checked.valid) return checked;
      const { length } = checked.problems;
      throw policyErrors.POLICY_INVALID({
        message: `The policy document has ${length === 1 ? "a problem" : `${length} problems`}.`,
        details: checked.problems,
      });
    },
  };
}
