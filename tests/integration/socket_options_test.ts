import { connect as connectNode } from "node:net";
import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  applySocketOptions,
  connect,
  effectiveOptions,
  EndpointError,
  lines,
  type Peer,
  resetConnection,
  serve,
  type ServerEvent,
  socketInfo,
  type SocketOptions,
  type SocketReport,
  systemTransports,
  text,
} from "../../mod.ts";
import { lookAtConnection } from "../../src/cli/commands/options_outside.ts";
import { logLine } from "../../src/observe/log_line.ts";
import { hasLibc } from "../support/dead_peer.ts";
import { isInstalled } from "../support/installed.ts";
import { run, task } from "../support/program.ts";
import { CLIENT_TLS, SERVER_TLS } from "../support/tls.ts";

const NO_LIBC = !hasLibc();
const NO_SS = !await isInstalled("ss", "-V");
const HOME = { scheme: "tcp", hostname: "127.0.0.1", port: 0 } as const;

const EVERY: SocketOptions = {
  keepAlive: true,
  keepAliveIdleMs: 40_000,
  keepAliveIntervalMs: 7_000,
  keepAliveCount: 4,
  userTimeoutMs: 12_345,
  noDelay: false,
  resetOnClose: true,
  sendBufferBytes: 50_000,
  receiveBufferBytes: 60_000,
  congestionControl: "reno",
};

/** The options that are not as asked, by name. */
function unmet({ options }: SocketReport): string[] {
  return options.filter(({ state }) => state !== "set")
    .map(({ option, state }) => `${option} ${state}`);
}

Deno.test({
  name: "socket options are set on what is accepted and dialled",
  ignore: NO_LIBC || NO_SS,
  async fn() {
    const reports: SocketReport[] = [];
    const socket = {
      ...EVERY,
      strict: true,
      report: (report: SocketReport) => reports.push(report),
    };
    const { tcp } = systemTransports;
    const listener = await tcp.listen(HOME, { socket, backlog: 77 });
    const dialled = await tcp.connect(listener.endpoint, { socket });
    const accepted = await listener.accept();
    assertEquals(reports.map(unmet), [[], []]);
    for (const conn of [accepted, dialled]) {
      const options = effectiveOptions(conn, EVERY);
      assertEquals(unmet({ endpoint: "", options }), []);
      const outside = await lookAtConnection(conn);
      const { keepAliveIdleMs, ...rest } = outside;
      const timerMs = Number(/\d+/.exec(keepAliveIdleMs!)![0]);
      assertGreater(timerMs, 30_000);
      assertLess(timerMs, 40_001);
      assertEquals(rest, {
        keepAlive: "true",
        sendBufferBytes: "50000",
        receiveBufferBytes: "60000",
        congestionControl: "reno",
      });
    }
    for (const closed of [accepted, dialled, listener]) closed.close();
  },
});

Deno.test({
  name: "socket options are found on TLS and IPv6 connections",
  ignore: NO_LIBC,
  async fn() {
    const socket: SocketOptions = { userTimeoutMs: 4_321, strict: true };
    let peer: Peer<string, string> | undefined;
    await using server = await serve({
      listen: ["tls://127.0.0.1:0", "tcp://[::]:0"],
      wire: lines(text()),
      ...SERVER_TLS,
      socket,
      handler: {
        message(from, line) {
          peer = from;
          from.send(line);
        },
      },
    });
    for (const to of server.endpoints) {
      await using client = await connect({
        to: to.replace("127.0.0.1", "localhost").replace("[::]", "127.0.0.1"),
        wire: lines(text()),
        ...CLIENT_TLS,
        socket,
      });
      client.send("hello");
      assertEquals(await client.receive(), "hello");
      for (const side of [client, peer!]) {
        const found = effectiveOptions(side, socket)
          .find(({ option }) => option === "userTimeoutMs");
        assertEquals(found?.state, "set");
        const info = socketInfo(side);
        assertEquals(info.state, "established");
        assertGreater(info.ackedBytes + info.receivedBytes, 0);
      }
    }
  },
});

Deno.test({
  name: "an option that the kernel rounds, caps or refuses is told",
  ignore: NO_LIBC,
  async fn() {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    using conn = await Deno.connect({ port: listener.addr.port });
    const { options } = applySocketOptions(conn, {
      keepAliveIdleMs: 1_500,
      receiveBufferBytes: 2 ** 30,
      congestionControl: "no-such-algorithm",
    });
    const told = options.map(({ option, state, reason }) => [
      option,
      state,
      reason,
    ]);
    assertEquals(told, [
      ["keepAlive", "set", undefined],
      ["keepAliveIdleMs", "differs", "the kernel counts whole seconds"],
      ["receiveBufferBytes", "differs", "the limit is net.core.rmem_max"],
      ["congestionControl", "unsupported", "not known to the kernel (ENOENT)"],
    ]);
    assertThrows(
      () => applySocketOptions(conn, { keepAliveIdleMs: 1_500, strict: true }),
      Deno.errors.NotSupported,
      "keepAliveIdleMs 1500 is 2000",
    );
  },
});

Deno.test("an option that is not to be had is an event, and strict refuses", async () => {
  const events: ServerEvent[] = [];
  const options = {
    listen: "memory:no-socket",
    wire: lines(text()),
    handler: { message() {} },
    observe: (event: ServerEvent) => events.push(event),
  };
  const socket = { keepAlive: true };
  await using server = await serve({ ...options, socket });
  const reason = "memory endpoints have no TCP socket";
  assertEquals(events[0], {
    type: "socket option",
    endpoint: "memory:no-socket",
    state: {
      option: "keepAlive",
      asked: true,
      actual: undefined,
      state: "unsupported",
      reason,
    },
  });
  assertEquals(logLine(events[0]!), {
    level: "warn",
    kind: "socket option: keepAlive",
    subject: "memory:no-socket",
    text: "Socket option at memory:no-socket is not as asked: {detail}",
    detail: `keepAlive true: ${reason}`,
    plural: "Times that keepAlive was not as asked",
  });
  const strict = { ...socket, strict: true };
  await assertRejects(
    () => serve({ ...options, listen: "memory:strict", socket: strict }),
    EndpointError,
    reason,
  );
  await assertRejects(
    () => connect({ to: server.endpoint, wire: lines(text()), socket: strict }),
    EndpointError,
    reason,
  );
});

Deno.test("strict refuses to listen where the runtime has no such option", async () => {
  const socket = { reuseAddress: false, strict: true };
  const port = 0;
  const error = await assertRejects(
    async () =>
      await systemTransports.tcp.listen({ ...HOME, port }, { socket }),
    EndpointError,
  );
  assertMatch(error.message, /reuseAddress false/);
});

Deno.test({
  name: "resetOnClose drops what is unsent, and resetConnection() sends no FIN",
  ignore: NO_LIBC,
  async fn() {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const saw = async (
      end: (conn: Deno.TcpConn) => unknown,
    ): Promise<string> => {
      const conn = await Deno.connect({ port: listener.addr.port });
      using peer = await listener.accept();
      await end(conn);
      const read = async () => {
        const space = new Uint8Array(1 << 20);
        while (await peer.read(space) !== null);
        return "end";
      };
      return await read().catch(({ name }: Error) => name);
    };
    const overfill = async (conn: Deno.TcpConn): Promise<void> => {
      // The kernel takes what it has room for, more than the peer's has.
      await conn.write(new Uint8Array(64 << 20));
    };
    assertEquals(await saw((conn) => conn.close()), "end");
    assertEquals(
      await saw(async (conn) => {
        await overfill(conn);
        conn.close();
      }),
      "end",
    );
    assertEquals(
      await saw(async (conn) => {
        applySocketOptions(conn, { resetOnClose: true, strict: true });
        await overfill(conn);
        conn.close();
      }),
      "ConnectionReset",
    );
    assertEquals(
      await saw((conn) => assert(resetConnection(conn))),
      "ConnectionReset",
    );
  },
});

Deno.test({
  name: "a socket of node:net takes the idle time of keep-alive, and resets",
  ignore: NO_SS,
  async fn() {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    const socket = connectNode(port, "127.0.0.1");
    await new Promise<void>((resolve) => socket.once("connect", resolve));
    using peer = await listener.accept();
    const { options } = applySocketOptions(socket, { keepAliveIdleMs: 50_000 });
    for (const { state } of options) assertMatch(state, /^(set|unverified)$/);
    const { keepAliveIdleMs } = await lookAtConnection({
      localAddr: peer.remoteAddr,
      remoteAddr: peer.localAddr,
    });
    assertMatch(keepAliveIdleMs!, /^timer at (4\d{4}|50000)$/);
    assert(resetConnection(socket));
    await assertRejects(
      () => peer.read(new Uint8Array(1)),
      Deno.errors.ConnectionReset,
    );
  },
});

interface Row {
  type: string;
  socket: string;
  option: string;
  state: string;
  actual?: unknown;
  outside?: string;
  reason?: string;
}

/** The rows that `deno task NAME --json` prints, by socket and option. */
async function rows(name: string, ...args: string[]): Promise<Row[]> {
  const { code, stdout, stderr } = await run(task(name, "--json", ...args));
  assertEquals([code, stderr], [0, ""]);
  return stdout.trim().split("\n").map((line) => JSON.parse(line));
}

Deno.test({
  name: "deno task options tells what the runtime alone reaches",
  ignore: NO_SS,
  async fn() {
    const found = await rows("options");
    const states = new Map(
      found.map(({ socket, option, state }) => [`${socket} ${option}`, state]),
    );
    assertEquals(states.get("dialled connection keepAlive"), "unverified");
    assertEquals(states.get("dialled connection userTimeoutMs"), "unsupported");
    for (const { state, reason } of found) {
      if (state === "unsupported") assertMatch(reason!, /needs --allow-ffi=/);
    }
    const queue = found.find(({ option }) => option === "backlog");
    assertEquals(queue?.outside, "128");
  },
});

Deno.test({
  name: "deno task options:ffi reaches all, and ss says the same",
  ignore: NO_LIBC || NO_SS,
  async fn() {
    const found = await rows("options:ffi", "--strict");
    assertEquals(found.filter(({ state }) => state !== "set"), []);
    const compared = found.filter(({ option, outside }) =>
      outside !== undefined && option !== "keepAliveIdleMs" &&
      option !== "resetOnClose"
    );
    assertGreater(compared.length, 12);
    for (const { actual, outside } of compared) {
      assertEquals(outside, String(actual));
    }
    const closes = found.filter(({ option, outside }) =>
      option === "resetOnClose" && outside !== undefined
    );
    assertEquals(closes.map(({ outside }) => outside), [
      "peer saw an end, then a reset",
      "peer saw an end, then a reset",
      "peer saw a reset",
    ]);
  },
});

Deno.test("deno task options refuses what is no option and no value", async () => {
  for (
    const [setting, why] of [
      ["keepalive=1", "did you mean keepAlive?"],
      ["keepAliveCount=many", "must be a value such as 3"],
      ["noDelay", "must be a value such as true"],
    ] as const
  ) {
    const { code, stderr } = await run(task("options", "--set", setting));
    assertEquals(code, 2);
    assert(stderr.includes(why), stderr);
  }
  const strict = task("options", "--strict", "--set", "userTimeoutMs=1000");
  assertEquals((await run(strict)).code, 1);
});
