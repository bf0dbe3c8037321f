import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  BreakerOpenError,
  type Client,
  connect,
  ConnectionEndedError,
  createPool,
  EndpointError,
  Guard,
  inOrder,
  lines,
  type Pool,
  RequestTimeoutError,
  serve,
  type Server,
  text,
} from "../../mod.ts";

type Line = Client<string, string>;

const wire = lines(text());

function answering(
  answer: (line: string) => string | undefined,
  closes = false,
): Promise<Server<string, string, undefined>> {
  return serve({
    listen: "tcp://127.0.0.1:0",
    wire,
    handler: {
      message(peer, line) {
        const reply = answer(line);
        if (reply !== undefined) peer.send(reply);
        if (closes) void peer.close();
      },
    },
  });
}

function poolOf(to: string, max = 4): Pool<Line> {
  return createPool<Line>({
    create: (signal) => connect({ to, wire, correlate: inOrder(), signal }),
    destroy: (client) => client.close(),
    isAlive: (client) => client.ending === undefined,
    max,
  });
}

const ask = (line: string) =>
async (
  { server, signal }: { server: Pool<Line>; signal: AbortSignal },
): Promise<string> => {
  await using lease = await server.take({ signal });
  return await lease.resource.request(line, { signal });
};

Deno.test("Guard over pools shares out servers that close after each answer", async () => {
  await using one = await answering((line) => `one: ${line}`, true);
  await using two = await answering((line) => `two: ${line}`, true);
  await using first = poolOf(one.endpoints[0]!);
  await using second = poolOf(two.endpoints[0]!);
  const guard = new Guard({ servers: [first, second] });
  const answers = await Promise.all(
    Array.from(
      { length: 200 },
      (_, n) =>
        guard.run(async ({ server, signal }) => {
          const lease = await server.take({ signal });
          try {
            return await lease.resource.request(`${n}`, { signal });
          } finally {
            lease.discard();
          }
        }),
    ),
  );
  for (const [n, answer] of answers.entries()) {
    assertEquals(answer.slice(5), `${n}`);
  }
  const by = (name: string) =>
    answers.filter((answer) => answer.startsWith(name)).length;
  assert(by("one") > 10 && by("two") > 10, `${by("one")}, ${by("two")}`);
});

Deno.test("Guard over a pool tells everybody, though connections die between uses", async () => {
  await using server = await answering((line) => line, true);
  await using pool = poolOf(server.endpoints[0]!);
  const guard = new Guard({ servers: [pool], backoff: { minMs: 1 } });
  const results = await Promise.allSettled(
    Array.from(
      { length: 200 },
      (_, n) => guard.run(ask(`${n}`), { idempotent: true }),
    ),
  );
  for (const [n, result] of results.entries()) {
    if (result.status === "fulfilled") assertEquals(result.value, `${n}`);
    else {
      assert(
        result.reason instanceof BreakerOpenError ||
          result.reason instanceof ConnectionEndedError,
        `${result.reason}`,
      );
    }
  }
  assert(pool.size <= 4);
});

Deno.test("Guard over a pool gives up on a server that accepts and never answers", async () => {
  await using mute = await answering(() => undefined);
  await using pool = poolOf(mute.endpoints[0]!, 2);
  const guard = new Guard({
    servers: [pool],
    timeoutMs: 50,
    breaker: { consecutiveFailures: 2 },
  });
  const asked = ask("anybody?");
  await assertRejects(() => guard.run(asked), RequestTimeoutError);
  await assertRejects(() => guard.run(asked), RequestTimeoutError);
  const error = await assertRejects(() => guard.run(asked), BreakerOpenError);
  assert(error.cause instanceof RequestTimeoutError);
});

Deno.test("Guard over pools leaves a server alone that is not there", async () => {
  await using gone = await answering(() => "");
  const to = gone.endpoints[0]!;
  await gone.close();
  await using live = await answering((line) => line);
  await using first = poolOf(to);
  await using second = poolOf(live.endpoints[0]!);
  await assertRejects(() => first.take(), EndpointError, "connection refused");
  const guard = new Guard({
    servers: [first, second],
    breaker: { consecutiveFailures: 3 },
    backoff: { minMs: 1 },
  });
  for (let n = 0; n < 50; n++) {
    assertEquals(await guard.run(ask(`${n}`)), `${n}`);
  }
  const [broken, fine] = guard.status();
  assertEquals(fine!.breaker!.state, "closed");
  assert(broken!.breaker!.consecutiveFailures <= 3);
});
