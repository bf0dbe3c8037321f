import { assertEquals, assertMatch } from "@std/assert";
import { HubSession } from "../../scenarios/hub/connect/session.ts";
import { startHub } from "../../scenarios/hub/server.ts";

/** A client that runs longer is ended, which its exit code shows. */
const DEADLINE_MS = 60_000;

interface Run {
  code: number;
  out: string[];
  err: string;
}

/** Runs the hub's client as its users do, to the end. */
async function run(args: string[], input = ""): Promise<Run> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", "--allow-net", "--allow-read=."],
      ...["scenarios/hub/connect.ts", ...args],
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(DEADLINE_MS),
  }).spawn();
  const writer = child.stdin.getWriter();
  // A client that does not read its input has ended already.
  await writer.write(new TextEncoder().encode(input)).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  const out = decoder.decode(stdout).split("\n").slice(0, -1);
  return { code, out, err: decoder.decode(stderr).trimEnd() };
}

async function withHub(
  test: (endpoint: string) => Promise<void>,
): Promise<void> {
  await using hub = await startHub({
    listen: "tcp://127.0.0.1:0",
    handlers: { weather: ({ port }) => ({ type: "report", port, wind: 7 }) },
  });
  await test(hub.endpoints[0]!);
}

Deno.test("connect --eval runs lines and prints the answers", () =>
  withHub(async (endpoint) => {
    const { code, out, err } = await run([
      endpoint,
      "--eval",
      "/name ann; /join harbour; /to #harbour moored; /to ann note; hello",
      "--eval",
      '/echo a;b\n/custom weather {"port":"Genova"}; /exit; /echo never',
    ]);
    assertEquals(err, "");
    assertEquals(code, 0);
    assertEquals(out.slice(0, -2), [
      "You are ann",
      "You are in #harbour, members: 1; talk there with /to #harbour",
      "sent to nobody else in #harbour",
      "ann to you: note",
      "sent to ann",
      "sent to nobody else",
    ]);
    assertMatch(out.at(-2)!, /^echo after [\d.]+ [mµn]?s: a;b$/);
    assertEquals(out.at(-1), '{"type":"report","port":"Genova","wind":7}');
  }));

Deno.test("connect --eval stops at the first line that fails and exits 1", () =>
  withHub(async (endpoint) => {
    const refused = await run([endpoint, "-e", "/to nobody hi; /echo never"]);
    assertEquals(refused, {
      code: 1,
      out: ["The hub refuses: nobody here is called nobody (no_such_client)"],
      err: "",
    });
    const misspelt = await run([endpoint, "-e", "/pong; /echo never"]);
    assertEquals(misspelt, {
      code: 1,
      out: [],
      err: "There is no command /pong: did you mean /ping?",
    });
  }));

Deno.test("connect --json prints the hub's messages", () =>
  withHub(async (endpoint) => {
    const script = "/echo x; /to nobody y";
    const { code, out } = await run([endpoint, "--json", "-e", script]);
    assertEquals(code, 1);
    const [echo, error] = out.map((line) => JSON.parse(line));
    assertEquals([echo.type, echo.content], ["echo_response", "x"]);
    assertEquals([error.type, error.code], ["error", "no_such_client"]);
  }));

Deno.test("connect reads lines from a pipe", () =>
  withHub(async (endpoint) => {
    const { code, out } = await run(
      [endpoint],
      "/name ann\r\nahoy\n/to ann hi",
    );
    assertEquals(code, 0);
    assertEquals(out, [
      "You are ann",
      "sent to nobody else",
      "ann to you: hi",
      "sent to ann",
    ]);
    assertEquals((await run([endpoint], "/name !\nahoy\n")).code, 1);
  }));

Deno.test("connect prints what it hears, without anything that a terminal obeys", () =>
  withHub(async (endpoint) => {
    const content = "\x1b]0;owned\x07\x1b[2J\x9b31mgood\u202e\r\nmorning";
    await using eve: HubSession = await HubSession.open({
      to: endpoint,
      message: () => void eve.ask<"broadcast">({ type: "broadcast", content }),
    });
    await eve.ask<"identify">({ type: "identify", name: "eve" });
    const { code, out } = await run([endpoint, "-e", "/to eve ready; /wait"]);
    assertEquals(code, 0);
    assertEquals(out.filter((line) => line !== "sent to eve"), [
      "eve: good",
      "  morning",
    ]);
  }));

Deno.test("connect says how to start a hub that is not there", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const endpoint = `tcp://127.0.0.1:${port}`;
  assertEquals(await run([endpoint]), {
    code: 1,
    out: [],
    err: `connect: Cannot connect to ${endpoint}: connection refused; ` +
      `start one with: deno task hub --listen ${endpoint}`,
  });
});

Deno.test("connect exits 2 for what is no endpoint", async () => {
  const { code, err } = await run(["localhost"]);
  assertEquals(code, 2);
  assertMatch(
    err,
    /^connect: Cannot use ENDPOINT: Cannot parse endpoint: tcp:/,
  );
});

Deno.test("connect --demo shows every function", () =>
  withHub(async (endpoint) => {
    const { code, out, err } = await run([endpoint, "--demo", "--json"]);
    assertEquals([code, err], [0, ""]);
    const shown = out.map((line) => JSON.parse(line));
    const types = new Set(shown.map(({ message }) => message.type));
    for (
      const type of [
        ...["pong", "echo_response", "identified", "clients", "broadcast"],
        ...["broadcast_sent", "direct", "direct_sent", "joined", "left"],
        ...["room_message", "room_message_sent", "server_stats", "report"],
      ]
    ) assertEquals(types.has(type), true, type);
    const codes = shown.filter(({ message }) => message.type === "error")
      .map(({ message }) => message.code);
    assertEquals(codes, [
      "name_taken",
      "not_in_room",
      "malformed",
      "frame_too_large",
    ]);
  }));

Deno.test("connect --performance measures and draws", () =>
  withHub(async (endpoint) => {
    const args = [endpoint, "--performance", "--seconds", "0.2"];
    const few = ["--connections", "3", "--window", "2"];
    const drawn = await run([...args, ...few]);
    assertEquals([drawn.code, drawn.err], [0, ""]);
    const text = drawn.out.join("\n");
    for (const part of ["latency:", "throughput:", "fan-out:", "█", "p99.9"]) {
      assertEquals(text.includes(part), true, `${part} in\n${text}`);
    }
    const { out } = await run([...args, ...few, "--json"]);
    const phases = out.map((line) => JSON.parse(line));
    assertEquals(phases.map(({ phase }) => phase), [
      "latency",
      "throughput",
      "fan-out",
    ]);
    for (const { messages, per_second, latency_ms } of phases) {
      assertEquals(messages > 0 && per_second > 0, true);
      assertEquals(latency_ms.min > 0, true);
      assertEquals(latency_ms.max >= latency_ms.p50, true);
    }
  }));
