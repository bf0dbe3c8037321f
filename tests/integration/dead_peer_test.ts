import { assert, assertEquals } from "@std/assert";
import {
  connect,
  inOrder,
  lines,
  resetConnection,
  serve,
  type ServeOptions,
  text,
} from "../../mod.ts";
import { closeQuietly } from "../../src/io/close_quietly.ts";
import { Cable, DEAD_PEER, hasLibc, Watched } from "../support/dead_peer.ts";
import { Program } from "../support/program.ts";
import { within } from "../support/wait.ts";

/** How much later than it should a busy machine may notice. */
const SLACK_MS = 1_500;

const NO_LIBC = !hasLibc();

/** Asserts a bound, and shows what was measured. */
function assertTook(
  what: string,
  tookMs: number,
  [leastMs, mostMs]: readonly [number, number],
): void {
  console.log(`${what}: ${tookMs.toFixed(1)} ms`);
  assert(
    tookMs >= leastMs && tookMs <= mostMs,
    `${what} took ${tookMs} ms, not ${leastMs} to ${mostMs}`,
  );
}

/** Milliseconds until a server notices that its peer, a bare connection, does `end`; and the cause. */
async function timeEnd(
  end: (conn: Deno.TcpConn) => unknown,
): Promise<[tookMs: number, cause: string, reason: string | undefined]> {
  const ended = Promise.withResolvers<[number, string, string | undefined]>();
  const opened = Promise.withResolvers<void>();
  const options: ServeOptions<string, string, undefined> = {
    listen: "tcp://127.0.0.1:0",
    wire: lines(text()),
    handler: {
      open(peer) {
        peer.signal.addEventListener("abort", () => {
          const { cause, reason } = peer.ending!;
          ended.resolve([performance.now(), cause, reason]);
        });
        opened.resolve();
      },
      message() {},
    },
  };
  await using server = await serve(options);
  const port = Number(/\d+$/.exec(server.endpoint)![0]);
  const conn = await Deno.connect({ port });
  try {
    await opened.promise;
    const startMs = performance.now();
    await end(conn);
    const [endMs, cause, reason] = await within("the end", ended.promise);
    return [endMs - startMs, cause, reason];
  } finally {
    closeQuietly(conn);
  }
}

Deno.test("a server notices FIN at once when its peer ends", async () => {
  const [tookMs, cause, reason] = await timeEnd((conn) => conn.closeWrite());
  assertEquals([cause, reason], ["peer closed", undefined]);
  assertTook("FIN", tookMs, [0, SLACK_MS]);
});

Deno.test({
  name: "a server notices RST at once when its peer resets",
  ignore: NO_LIBC,
  async fn() {
    const [tookMs, cause, reason] = await timeEnd((conn) =>
      assert(resetConnection(conn))
    );
    assertEquals([cause, reason], ["peer closed", "reset"]);
    assertTook("RST", tookMs, [0, SLACK_MS]);
  },
});

Deno.test({
  name: "a heartbeat notices a stopped peer, and keep-alive does not",
  ignore: NO_LIBC,
  async fn() {
    const here = { watcher: [], peer: [] };
    await using watched = await Watched.start("127.0.0.1", here);
    const stopMs = Date.now();
    watched.peer.kill("SIGSTOP");
    const { idleMs, keepAlive } = DEAD_PEER;
    const { atMs, cause, reason } = await watched.notices("idle");
    assertEquals([cause, reason], ["timed out", `idle for ${idleMs} ms`]);
    const least = idleMs - 200;
    assertTook("SIGSTOP, idleMs", atMs - stopMs, [least, idleMs + SLACK_MS]);
    // The kernel of a stopped peer goes on answering.
    const { keepAliveIdleMs, keepAliveIntervalMs, keepAliveCount } = keepAlive;
    const untilMs = stopMs + keepAliveIdleMs +
      (keepAliveCount + 1) * keepAliveIntervalMs;
    await new Promise((resolve) => setTimeout(resolve, untilMs - Date.now()));
    assertEquals(watched.noticed("keepAlive"), undefined);
    assertEquals(watched.noticed("userTimeout"), undefined);
  },
});

Deno.test("a request notices a stopped server when its time is up", async () => {
  const echo = [
    Deno.execPath(),
    "run",
    "--allow-net",
    "--allow-env=PORTOLAN_*",
  ];
  const main = new URL("../../scenarios/echo/main.ts", import.meta.url);
  await using server = await Program.serve([
    ...echo,
    main.pathname,
    "--lines",
    "--port=0",
  ]);
  await using client = await connect({
    to: server.endpoints[0]!,
    wire: lines(text()),
    correlate: inOrder(),
    limits: { lingerMs: 1 },
  });
  assertEquals(await client.request("ahoy"), "ahoy");
  server.kill("SIGSTOP");
  try {
    const startMs = performance.now();
    const asking = client.request("still there?", { timeoutMs: 500 });
    const why = await asking.catch((error: Error) => error.name);
    const tookMs = performance.now() - startMs;
    assertEquals(why, "RequestTimeoutError");
    assertTook("SIGSTOP, timeoutMs 500", tookMs, [450, 500 + SLACK_MS]);
  } finally {
    server.kill("SIGCONT");
  }
});

Deno.test({
  name: "a pulled cable is noticed by each means in its time",
  ignore: NO_LIBC,
  async fn() {
    await using cable = await Cable.lay();
    if (cable === undefined) return;
    await using watched = await Watched.start(cable.address, cable.ends);
    const pulledMs = Date.now();
    await cable.pull();
    const { idleMs, keepAlive, userTimeoutMs } = DEAD_PEER;
    const { keepAliveIdleMs, keepAliveIntervalMs, keepAliveCount } = keepAlive;
    const probedMs = keepAliveIdleMs + keepAliveCount * keepAliveIntervalMs;
    for (
      const [name, leastMs, expectedMs] of [
        ["idle", idleMs - 200, idleMs],
        // After the last acknowledgement, which the next retransmission that is due then sees.
        ["userTimeout", userTimeoutMs - 200, userTimeoutMs * 1.5],
        // It counts from the last traffic, which was before.
        ["keepAlive", keepAliveIntervalMs, probedMs],
      ] as const
    ) {
      const { atMs, cause } = await watched.notices(name);
      assertEquals([name, cause], [name, "timed out"]);
      const bound = [leastMs, expectedMs + SLACK_MS] as const;
      assertTook(`cable pulled, ${name}`, atMs - pulledMs, bound);
    }
    assertEquals(watched.noticed("nothing"), undefined);
  },
});
