import { readFileSync } from "node:fs";
import type { Client } from "@modelcontextprotocol/client";
import WebSocket from "ws";
import { call, type Print } from "./agent.ts";
import { type Check, show, until } from "./checks.ts";
import type { Person } from "./people.ts";

const TASKS = 5;
/** What the example agent takes at once. */
const BURST = 3;

interface Stage {
  readonly apiUrl: string;
  readonly agent: Client;
  readonly appId: string;
  readonly ada: Person;
  readonly ben: Person;
  readonly print: Print;
}

/** Deploys the example classes over MCP and uses them as people would; true when all went as it should. */
export async function playActors(stage: Stage): Promise<boolean> {
  await deploy(stage);
  stage.print("");
  const chatted = await chat(stage);
  const paced = await giveTasks(stage);
  return chatted && paced;
}

async function deploy({ agent, appId: app_id, print }: Stage): Promise<void> {
  const code = (name: string) => readFileSync(new URL(`../actors/${name}.ts`, import.meta.url), "utf8");
  for (const name of ["chat-room", "rate-limited-agent"]) {
    const order = { app_id, action: "deploy", name, code: code(name) };
    await call(agent, print, "manage_durable_objects", order, `deploy ${name}: for people who are signed in`);
  }
  await call(
    agent,
    print,
    "deploy_function",
    { app_id, name: "think", code: code("think") },
    "a function `think`",
  );
}

/** Ada and Ben meet in a room: who is there, what is said, and what was said before. */
async function chat({ apiUrl, appId, ada, ben, print }: Stage): Promise<boolean> {
  const room = `${apiUrl.replace(/^http/, "ws")}/v1/${appId}/do/chat-room/lobby`;
  const enter = (name: string, person: Person) =>
    Guest.enter(`${room}?name=${name}&token=${encodeURIComponent(person.token)}`);
  const stranger = await Guest.enter(`${room}?name=nobody`).then(
    () => "came in",
    () => "was refused",
  );
  const adas = await enter("Ada", ada);
  adas.say("Is anybody here?");
  await adas.heard((event) => event.type === "message");
  const bens = await enter("Ben", ben);
  const welcome = await bens.heard((event) => event.type === "welcome");
  const joined = await adas.heard((event) => event.type === "joined");
  bens.say("I am!");
  const answer = await adas.heard((event) => event.message?.author === "Ben");
  bens.leave();
  const left = await adas.heard((event) => event.type === "left");
  adas.leave();
  const present = welcome.present?.map(({ name }) => name).sort();
  const said = welcome.history?.map(({ text }) => text);
  const checks: Check[] = [
    [stranger === "was refused", `someone without a token ${stranger}`],
    [String(present) === "Ada,Ben", `Ben comes in and finds ${present?.join(" and ")} there`],
    [
      said?.includes("Is anybody here?") === true,
      `and reads what was said before: ${said?.map((text) => `“${text}”`)}`,
    ],
    [joined.who?.id === ben.id, "Ada is told who came: the id is from his verified token"],
    [answer.message?.text === "I am!", `Ada hears “${answer.message?.text}”`],
    [left.who?.name === "Ben", "and that he left"],
  ];
  return show(print, "chat-room/lobby", checks);
}

/** Ada gives her agent more than it takes at once; it remembers what it took, and does it. */
async function giveTasks({ apiUrl, appId, ada, print }: Stage): Promise<boolean> {
  const url = `${apiUrl}/v1/${appId}/do/rate-limited-agent/${ada.id}`;
  const headers = { authorization: `Bearer ${ada.token}`, "content-type": "application/json" };
  const statuses: number[] = [];
  for (let task = 1; task <= TASKS; task += 1) {
    const body = JSON.stringify({ prompt: `task number ${task} of ${TASKS}` });
    const response = await fetch(url, { method: "POST", headers, body });
    await response.text();
    statuses.push(response.status);
  }
  const taken = statuses.filter((status) => status === 202).length;
  const done = await until(async () => {
    const response = await fetch(url, { headers });
    const { tasks } = (await response.json()) as { tasks: { state: string; answer: string }[] };
    return tasks.length >= BURST && tasks.every(({ state }) => state === "done") ? tasks : null;
  });
  return show(print, `rate-limited-agent/${ada.email}`, [
    [
      taken >= BURST && taken < TASKS,
      `of ${TASKS} tasks ${taken} are taken, ${TASKS - taken} told to come later (429)`,
    ],
    [done !== null, `what was taken is done: “${done?.[0]?.answer}”`],
  ]);
}

interface RoomEvent {
  readonly type: string;
  readonly who?: { readonly id: string; readonly name: string };
  readonly present?: readonly { readonly name: string }[];
  readonly history?: readonly { readonly text: string }[];
  readonly message?: { readonly author: string; readonly text: string };
}

/** Someone in the chat room. */
class Guest {
  readonly #socket: WebSocket;
  readonly #events: RoomEvent[] = [];

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data) => this.#events.push(JSON.parse(String(data))));
  }

  static enter(url: string): Promise<Guest> {
    const socket = new WebSocket(url);
    const guest = new Guest(socket);
    return new Promise((resolve, reject) => {
      socket.on("open", () => resolve(guest));
      socket.on("error", reject);
    });
  }

  say(text: string): void {
    this.#socket.send(text);
  }

  leave(): void {
    this.#socket.close();
  }

  /** The first event of that kind; an empty one when none comes. */
  async heard(wanted: (event: RoomEvent) => boolean): Promise<RoomEvent> {
    return (await until(async () => this.#events.find(wanted) ?? null)) ?? { type: "nothing" };
  }
}
