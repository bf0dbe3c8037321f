/**
 * The load of the suite `reconnect`, as a program of its own:
 *
 *     stay.ts herd PORT CLIENTS
 *     stay.ts rate PORT persistent|plain IN_FLIGHT SECONDS
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
const WARM_UP = 0.2;

/** What came of the requests. */
const figures = {
  asked: 0,
  answered: 0,
  /** Answers to something else. */
  wrong: 0,
  /** Answers that nobody waited for. */
  surplus: 0,
};

function optionsFor(port: string): ConnectOptions<FromHub, ToHub> {
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
): Promise<void> {
  figures.asked++;
  const request: ToHub = { type: "echo", content };
  const answer = await client.request(request, { replay: true });
  figures.answered++;
  if (!("content" in answer) || answer.content !== content) figures.wrong++;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Milliseconds that other processes agree on. */
const nowMs = () => performance.timeOrigin + performance.now();

async function herd(port: string, size: number): Promise<unknown> {
  const returns: number[] = [];
  const back = Promise.withResolvers<void>();
  const clients: Stayer[] = [];
  for (let number = 0; number < size; number++) {
    const client = await keepConnected<FromHub, ToHub>({
      ...optionsFor(port),
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
      await ask(client, `${number} ${count}`);
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

async function rate(
  port: string,
  kind: string,
  inFlight: number,
  seconds: number,
): Promise<unknown> {
  await using client = kind === "plain"
    ? await connect(optionsFor(port))
    : await keepConnected(optionsFor(port));
  const startMs = performance.now();
  const countFromMs = startMs + seconds * WARM_UP * 1000;
  const endMs = startMs + seconds * 1000;
  let counted = 0;
  let countedFromMs = 0;
  await Promise.all(
    Array.from({ length: inFlight }, async (_, number) => {
      for (let count = 0;; count++) {
        await ask(client, `${number} ${count}`);
        const now = performance.now();
        if (now >= endMs) return;
        if (now < countFromMs) continue;
        if (counted++ === 0) countedFromMs = now;
      }
    }),
  );
  return { ...figures, perSecond: counted * 1000 / (endMs - countedFromMs) };
}

const [mode, port, ...args] = Deno.args as [string, string, ...string[]];
const result = mode === "herd"
  ? await herd(port, Number(args[0]))
  : await rate(port, args[0]!, Number(args[1]), Number(args[2]));
console.log(JSON.stringify(result));
