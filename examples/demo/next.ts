import type { Ambit } from "../../packages/server/src/ambit.ts";
import type { Played } from "./main-job.ts";

/** Commands that work as they stand while the demo goes on serving. */
export function whatToTryNext({ apiUrl, credentials }: Ambit, { appId, ada }: Played): string {
  const login = JSON.stringify({ email: ada.email, password: ada.password });
  return `
What to try next (the server goes on; Ctrl-C ends it):

  Log in as ada and write a note:
    TOKEN=$(curl -s ${apiUrl}/auth/${appId}/login -H 'content-type: application/json' -d '${login}' | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
    curl -s ${apiUrl}/v1/${appId}/notes -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' -d '{"title":"hello"}'

  Read as ada, then as nobody:
    curl -s ${apiUrl}/v1/${appId}/notes -H "authorization: Bearer $TOKEN"
    curl -s ${apiUrl}/v1/${appId}/notes

  See what the agent proposed and what became of it, then verify the ledger:
    curl -s '${apiUrl}/v1/me/substrate/actions?limit=5' -H 'authorization: Bearer ${credentials.api_key}'
    curl -s ${apiUrl}/v1/ledger/export -H 'authorization: Bearer ${credentials.api_key}' > ledger.jsonl
    npx ambit ledger key > ledger.pub && npx ambit ledger verify ledger.jsonl --public-key ledger.pub

  See what the gateway decided, and what policy it suggests for Ambit's own tools:
    npx ambit gateway logs
    npx ambit policy suggest --server ambit

  Let your own agent go on: paste the client configuration above into its settings.
  Every route: ${apiUrl}/openapi.json
`;
}
