import { assertEquals } from "@std/assert";
import type { CommandSpec } from "../../../src/cli/command_spec.ts";
import { Output, OutputClosedError } from "../../../src/cli/output.ts";
import {
  type CommandMain,
  type Host,
  runCommand,
  type StopSignal,
} from "../../../src/cli/run.ts";

/** A process in memory. */
class FakeHost implements Host {
  out = "";
  err = "";
  exits: number[] = [];
  signal: (signal: StopSignal) => void = () => {};
  uncaught: (error: unknown) => void = () => {};

  constructor(readonly args: string[] = []) {}

  readVariable(): undefined {}

  createOutput(json: boolean): Output {
    return new Output({
      json,
      write: (text) => this.out += text,
      writeError: (text) => this.err += text,
    });
  }

  onSignal(listener: (signal: StopSignal) => void): void {
    this.signal = listener;
  }

  onUncaught(listener: (error: unknown) => void): void {
    this.uncaught = listener;
  }

  exit(code: number): void {
    this.exits.push(code);
  }
}

const SPEC = {
  name: "hub",
  summary: "A hub.",
  listen: ["tcp://127.0.0.1:9999"],
} as const satisfies CommandSpec;

async function run(
  main: CommandMain<typeof SPEC>,
  args: string[] = [],
): Promise<{ code: number; host: FakeHost }> {
  const host = new FakeHost(args);
  return { code: await runCommand(SPEC, main, host), host };
}

Deno.test("runCommand() returns 0, or what the command returns", async () => {
  assertEquals((await run(() => {})).code, 0);
  assertEquals((await run(() => 3)).code, 3);
  assertEquals((await run(() => Promise.resolve(4))).code, 4);
});

Deno.test("runCommand() prints bad usage in one line and returns 2", async () => {
  const { code, host } = await run(() => {}, ["--port", "x"]);
  assertEquals(code, 2);
  assertEquals(
    host.err,
    "hub: Cannot use --port: it must be a whole number from 0 to 65535: " +
      'current value is "x"\n',
  );
});

Deno.test("runCommand() prints help and runs nothing", async () => {
  const { code, host } = await run(() => 5, ["--help"]);
  assertEquals([code, host.err], [0, ""]);
  assertEquals(host.out.startsWith("A hub.\n\nUsage: deno task hub"), true);
});

Deno.test("runCommand() prints a failure in one line and returns 1", async () => {
  const cause = new Error("deeper");
  const fail = () => {
    throw new Error("Cannot serve", { cause });
  };
  const { code, host } = await run(fail);
  assertEquals([code, host.err], [1, "hub: Cannot serve: deeper\n"]);
});

Deno.test("runCommand() adds the stack with --debug", async () => {
  const { host } = await run(() => Promise.reject(new Error("x")), ["--debug"]);
  assertEquals(host.err.startsWith("hub: x\nError: x\n    at "), true);
});

Deno.test("runCommand() returns 0 for a server that drained after a signal", async () => {
  const host = new FakeHost();
  const order: string[] = [];
  const running = runCommand(SPEC, async (_values, { stopped, signal }) => {
    await stopped;
    order.push(signal.reason.message);
  }, host);
  host.signal("SIGTERM");
  assertEquals(await running, 0);
  assertEquals(order, ["Stopped by SIGTERM"]);
  assertEquals(host.exits, []);
});

Deno.test("runCommand() returns 128 + n, silently, for work that a signal broke off", async () => {
  for (
    const [signal, expected] of [["SIGINT", 130], ["SIGTERM", 143]] as const
  ) {
    const host = new FakeHost();
    const running = runCommand(SPEC, async (_values, context) => {
      await context.stopped;
      context.signal.throwIfAborted();
    }, host);
    host.signal(signal);
    assertEquals([await running, host.err], [expected, ""]);
  }
});

Deno.test("runCommand() reports a failure during the drain", async () => {
  const host = new FakeHost();
  const running = runCommand(SPEC, async (_values, { stopped }) => {
    await stopped;
    throw new Error("Cannot save");
  }, host);
  host.signal("SIGTERM");
  assertEquals([await running, host.err], [1, "hub: Cannot save\n"]);
});

Deno.test("runCommand() exits at once on the second signal", async () => {
  const host = new FakeHost();
  const finish = Promise.withResolvers<void>();
  const running = runCommand(SPEC, () => finish.promise, host);
  host.signal("SIGINT");
  assertEquals(host.exits, []);
  host.signal("SIGINT");
  assertEquals(host.exits, [130]);
  host.signal("SIGTERM");
  assertEquals(host.exits, [130, 143]);
  finish.resolve();
  assertEquals(await running, 0);
});

Deno.test("runCommand() reports what nothing caught in one line and exits 1", async () => {
  const host = new FakeHost();
  await runCommand(SPEC, () => host.uncaught(new Error("stray")), host);
  assertEquals([host.err, host.exits], ["hub: stray\n", [1]]);
});

Deno.test("runCommand() is content when its reader went away", async () => {
  const { code, host } = await run(() => {
    throw new OutputClosedError("Cannot print: nobody reads");
  });
  assertEquals([code, host.err], [0, ""]);
});

Deno.test("runCommand() prints endpoints once a server is ready", async () => {
  const text = await run((values, { listening }) => listening(values.listen), [
    "-p",
    "1",
    "--listen",
    "unix:/tmp/x",
  ]);
  assertEquals(
    text.host.out,
    "listening tcp://127.0.0.1:1\nlistening unix:/tmp/x\n",
  );
  const json = await run(({ listen }, { listening }) => listening(listen), [
    "--json",
  ]);
  assertEquals(JSON.parse(json.host.out), {
    type: "listening",
    endpoint: "tcp://127.0.0.1:9999",
  });
});
