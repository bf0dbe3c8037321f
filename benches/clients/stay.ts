/**
 * The load of the suite `reconnect`, as a program of its own:
 *
 *     stay.ts herd PORT CLIENTS
 *     stay.ts rate PORT IN_FLIGHT SECONDS
 *
 * @module
 */

import {
  type Client,
  connect,
  type ConnectOptions,
  inOrder,
  json,
  keepConnected,
  lengthPrefixed,
  type PersistentClient,
  type PersistentRequestOptions,
} from "../../mod.ts";
import {
  type FromHub,
  isAnswer,
  type ToHub,
} from "../../scenarios/hub/messages.ts";

type Stayer = PersistentClient<FromHub, ToHub>;

/** How often each client of a herd asks. */
const ASK_EVERY_MS = 250;
/** How long a herd goes on after all are back. */
const AFTERWARDS_MS = 1000;
const SLICE_MS = 100;
const WARM_UP = 0.2;

/** What came of the requests. */
class Figures {
  asked = 0;
  answered = 0;
  /** Answers to something else. */
  wrong = 0;
  /** Answers that nobody waited for. */
  surplus = 0;
}

function optionsFor(
  port: string,
  figures: Figures,
): ConnectOptions<FromHub, ToHub> {
  return {
    to: `tcp://127.0.0.1:${port}`,
    wire: lengthPrefixed(json<FromHub, ToHub>()),
    correlate: inOrder(isAnswer),
    message: () => void figures.surplus++,
  };
}

async function ask(
  client: Client<FromHub, ToHub> | Stayer,
  content: string,
  figures: Figures,
  options?: PersistentRequestOptions,
): Promise<void> {
  figures.asked++;
  const request: ToHub = { type: "echo", content };
  const answer = await client.request(request, options);
  figures.answered++;
  if (!("content" in answer) || answer.content !== content) figures.wrong++;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Milliseconds that other processes agree on. */
const nowMs = () => performance.timeOrigin + performance.now();

async function herd(port: string, size: number): Promise<unknown> {
  const figures = new Figures();
  const returns: number[] = [];
  const back = Promise.withResolvers<void>();
  const clients: Stayer[] = [];
  for (let number = 0; number < size; number++) {
    const client = await keepConnected<FromHub, ToHub>({
      ...optionsFor(port, figures),
      session: (fresh) =>
        fresh.request({ type: "identify", name: `client ${number}` }),
      heartbeat: { message: (ttlMs) => ({ type: "ping", ttl_ms: ttlMs }) },
    });
    clients.push(client);
    void watch(client);
  }
  async function watch(client: Stayer): Promise<void> {
    for await (const { type } of client.status()) {
      if (type === "connected" && returns.push(nowMs()) === size) {
        back.resolve();
      }
    }
  }
  let over = false;
  const asking = clients.map(async (client, number) => {
    await sleep(Math.random() * ASK_EVERY_MS);
    for (let count = 0; !over; count++) {
      await ask(client, `${number} ${count}`, figures, { replay: true });
      await sleep(ASK_EVERY_MS);
    }
  });
  console.log("ready");
  await back.promise;
  await sleep(AFTERWARDS_MS);
  over = true;
  await Promise.all(asking);
  await Promise.all(clients.map((client) => client.close()));
  return { ...figures, returns };
}

/** Requests per second of both kinds of client, in turns so short that whatever disturbs falls on both. */
async function rate(
  port: string,
  inFlight: number,
  seconds: number,
): Promise<unknown> {
  const plainFigures = new Figures();
  const stayFigures = new Figures();
  await using plain = await connect(optionsFor(port, plainFigures));
  await using stayer = await keepConnected(optionsFor(port, stayFigures));
  const kinds = [
    { name: "plain", client: plain, figures: plainFigures },
    { name: "persistent", client: stayer, figures: stayFigures },
  ].map((kind) => ({ ...kind, counted: 0, countedMs: 0 }));
  const turns = Math.ceil(seconds * 1000 / SLICE_MS);
  for (let turn = 0; turn < turns; turn++) {
    for (const kind of kinds) {
      const { client, figures } = kind;
      const startMs = performance.now();
      const endMs = startMs + SLICE_MS;
      const before = figures.answered;
      await Promise.all(
        Array.from({ length: inFlight }, async (_, number) => {
          for (let count = 0; performance.now() < endMs; count++) {
            await ask(client, `${number} ${count}`, figures);
          }
        }),
      );
      if (turn < turns * WARM_UP) continue;
      kind.counted += figures.answered - before;
      kind.countedMs += performance.now() - startMs;
    }
    kinds.reverse();
  }
  return Object.fromEntries(
    kinds.map(({ name, figures, counted, countedMs }) => [
      name,
      { ...figures, perSecond: counted * 1000 / countedMs },
    ]),
  );
}

const [mode, port, ...args] = Deno.args as [string, string, ...string[]];
const result = mode === "herd"
  ? await herd(port, Number(args[0]))
  : await rate(port, Number(args[0]), Number(args[1]));
console.log(JSON.stringify(result));
