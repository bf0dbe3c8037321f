import { assert, assertEquals } from "@std/assert";
import { connect } from "../../src/client/connect.ts";
import { byKey } from "../../src/client/correlation.ts";
import { RequestTimeoutError } from "../../src/client/requests.ts";
import { EndpointError } from "../../src/io/endpoint_error.ts";
import { ConnectionEndedError } from "../../src/io/peer.ts";
import { json } from "../../src/proto/codec/json.ts";
import { lengthPrefixed } from "../../src/proto/framing/length_prefixed.ts";
import { serve } from "../../src/server/serve.ts";
import type { VirtualNetwork } from "../../src/sim/virtual_network.ts";
import { badLink, drawInt, simulationTest } from "../support/seeds.ts";

interface Question {
  id: number;
  padding: string;
}

interface Answer {
  id: number;
  twice: number;
}

const LISTEN = "tcp://0.0.0.0:9999";
const REQUESTS = 20;

/** What may go wrong with a request over a network that fails. */
function isExpected(error: unknown): boolean {
  return error instanceof RequestTimeoutError ||
    error instanceof ConnectionEndedError || error instanceof EndpointError;
}

/** A server that takes its time; counts how often each request was carried out. */
async function start(network: VirtualNetwork): Promise<Map<number, number>> {
  const carriedOut = new Map<number, number>();
  const host = network.host("server");
  await serve({
    ...host,
    listen: LISTEN,
    wire: lengthPrefixed(json<Question, Answer>()),
    handler: {
      message(peer, { id }) {
        carriedOut.set(id, (carriedOut.get(id) ?? 0) + 1);
        const answer = () => void peer.send({ id, twice: 2 * id });
        void network.clock.sleep(host.random() * 300).then(answer);
      },
    },
  });
  return carriedOut;
}

/** Asks from a fresh connection whenever the last one is lost. */
async function ask(
  network: VirtualNetwork,
  settled: (id: number, answer: Answer | undefined) => void,
): Promise<void> {
  const { clock, random } = network;
  const dial = () =>
    connect({
      ...network.host("client"),
      to: "tcp://server:9999",
      wire: lengthPrefixed(json<Answer, Question>()),
      correlate: byKey("id"),
      timeoutMs: 2000,
      limits: { writeMs: 5000, lingerMs: 500 },
    });
  let client: Awaited<ReturnType<typeof dial>> | undefined;
  const asked: Promise<void>[] = [];
  for (let id = 1; id <= REQUESTS; id++) {
    try {
      if (client === undefined || client.ending !== undefined) {
        client = await dial();
      }
      const padding = "x".repeat(drawInt(network, 0, 3000));
      const request = client.request({ id, padding }, {
        timeoutMs: 200 + random() * 2000,
      });
      const outcome = request.then((answer) => settled(id, answer), (error) => {
        if (!isExpected(error)) throw error;
        settled(id, undefined);
      });
      // It is looked at below; until then it is not unhandled.
      outcome.catch(() => {});
      asked.push(outcome);
    } catch (error) {
      if (!isExpected(error)) throw error;
      settled(id, undefined);
    }
    await clock.sleep(random() * 300);
  }
  await Promise.all(asked);
  await client?.close();
}

/** Partitions, resets, hangs and name failures until `until` is settled. */
async function torment(
  network: VirtualNetwork,
  until: Promise<unknown>,
): Promise<void> {
  const { clock, random } = network;
  let over = false;
  const end = () => over = true;
  until.then(end, end);
  const troubles: ((forMs: number) => Promise<void>)[] = [
    async (forMs) => {
      network.partition("client", "server");
      await clock.sleep(forMs);
      network.heal();
    },
    async (forMs) => {
      network.host("server").readBytesPerSecond = 0;
      await clock.sleep(forMs);
      network.host("server").readBytesPerSecond = Infinity;
    },
    async (forMs) => {
      network.names.fail("server");
      await clock.sleep(forMs);
      network.names.heal("server");
    },
    () => {
      network.reset("client", "server");
      return Promise.resolve();
    },
  ];
  while (!over) {
    await clock.sleep(random() * 1500);
    await troubles[drawInt(network, 0, troubles.length - 1)]!(random() * 3000);
  }
}

simulationTest(
  "requests over a bad network end once, in their answer or in an error",
  async (network) => {
    badLink(network, "client", "server");
    const carriedOut = await start(network);
    const outcomes = new Map<number, Answer | undefined>();
    const asking = ask(network, (id, answer) => {
      assert(!outcomes.has(id), `request ${id} was settled twice`);
      outcomes.set(id, answer);
    });
    const tormenting = torment(network, asking);
    await asking;
    await tormenting;
    assertEquals(outcomes.size, REQUESTS, "every request was settled");
    for (const [id, answer] of outcomes) {
      const times = carriedOut.get(id) ?? 0;
      assert(times <= 1, `request ${id} was carried out ${times} times`);
      if (answer === undefined) continue;
      assertEquals(answer, { id, twice: 2 * id });
      assertEquals(times, 1, `request ${id} was answered`);
    }
  },
);

simulationTest(
  "requests over a network that only delays are all answered",
  async (network) => {
    network.link("client", "server", {
      latencyMs: network.random() * 50,
      jitterMs: network.random() * 100,
      lossRate: network.random() * 0.05,
    });
    await start(network);
    const client = await connect({
      ...network.host("client"),
      to: "tcp://server:9999",
      wire: lengthPrefixed(json<Answer, Question>()),
      correlate: byKey("id"),
    });
    const ids = Array.from({ length: 50 }, (_, at) => at + 1);
    const answers = await Promise.all(
      ids.map((id) => client.request({ id, padding: "x".repeat(1000) })),
    );
    assertEquals(answers.map(({ id }) => id), ids);
  },
);

simulationTest(
  "requests are settled although the clock jumps",
  async (network) => {
    const { clock, random } = network;
    badLink(network, "client", "server");
    await start(network);
    let settled = 0;
    const asking = ask(network, () => settled++);
    let over = false;
    const end = () => over = true;
    asking.then(end, end);
    while (!over) {
      await clock.sleep(random() * 1000);
      if (random() < 0.5) clock.jump(random() * 2_000_000);
    }
    await asking;
    assertEquals(settled, REQUESTS);
    // Who comes after the jumps is served as ever.
    network.link("client", "server", {});
    const client = await connect({
      ...network.host("client"),
      to: "tcp://server:9999",
      wire: lengthPrefixed(json<Answer, Question>()),
      correlate: byKey("id"),
    });
    const answer = await client.request({ id: 4, padding: "" });
    assertEquals(answer.twice, 8);
  },
  { limitMs: 1e9 },
);
