import { assertEquals } from "@std/assert";
import type { ServerEvent } from "../../../src/observe/events.ts";
import { logEvents } from "../../../src/observe/log_events.ts";
import {
  BaseHandler,
  getLogger,
  type LogRecord,
  setup,
} from "../../../src/std/log.ts";
import { VirtualClock } from "../../../src/sim/virtual_clock.ts";

const endpoint = "tcp://127.0.0.1:9999";

function refused(port: number): ServerEvent {
  return {
    type: "refused",
    endpoint,
    address: `192.0.2.7:${port}`,
    limit: "maxConnections",
  };
}

function recorder() {
  const lines: string[] = [];
  const take = (level: string) => (message: string, properties = {}) =>
    void lines.push(
      [level, message, ...Object.values(properties)].join(" | "),
    );
  const logger = {
    debug: take("debug"),
    info: take("info"),
    warn: take("warn"),
    error: take("error"),
  };
  return { lines, logger };
}

Deno.test("logEvents() counts a flood into one line a period", async () => {
  const { lines, logger } = recorder();
  const clock = new VirtualClock();
  const observe = logEvents(logger, { clock });
  for (let n = 1; n <= 4322; n++) observe(refused(n));
  assertEquals(lines, [
    `warn | Refused 192.0.2.7:1 at ${endpoint}: maxConnections`,
  ]);
  await clock.advance(10_000);
  assertEquals(lines.slice(1), [
    "warn | Connections refused by maxConnections: 4,321 more in 10 s",
  ]);
  observe(refused(5000));
  await clock.advance(10_000);
  assertEquals(lines.slice(2), [
    "warn | Connections refused by maxConnections: 1 more in 10 s",
  ]);
  await clock.advance(10_000);
  assertEquals(clock.armed, 0, "no timer runs when nothing happens");
  observe(refused(6000));
  assertEquals(lines.slice(3), [
    `warn | Refused 192.0.2.7:6000 at ${endpoint}: maxConnections`,
  ]);
});

Deno.test("logEvents() tells what it has counted when the server stops", () => {
  const { lines, logger } = recorder();
  const observe = logEvents(logger, { clock: new VirtualClock() });
  observe(refused(1));
  observe(refused(2));
  observe({ type: "stopped" });
  assertEquals(lines.slice(1), [
    "info | Stopped",
    "warn | Connections refused by maxConnections: 1 more in 0 s",
  ]);
});

Deno.test("logEvents() takes the period that it is told", async () => {
  const { lines, logger } = recorder();
  const clock = new VirtualClock();
  const observe = logEvents(logger, { clock, periodMs: 500 });
  observe(refused(1));
  observe(refused(2));
  await clock.advance(500);
  assertEquals(lines.length, 2);
});

Deno.test("logEvents() hands details to the logger as properties", () => {
  const records: string[] = [];
  class Memory extends BaseHandler {
    override open() {
      return ({ message, properties }: LogRecord) =>
        void records.push(message.join(""), `${properties["detail"]}`);
    }
  }
  setup({
    handlers: { memory: new Memory("DEBUG") },
    loggers: { default: { level: "DEBUG", handlers: ["memory"] } },
  });
  try {
    logEvents(getLogger("hub"))({
      type: "closed",
      peer: { id: 1, address: "unix#1", endpoint: "unix:/tmp/hub.sock" },
      ending: { cause: "failed", error: new Error("{not} a template") },
    });
  } finally {
    setup({});
  }
  assertEquals(records, [
    "unix#1 ended: failed: {not} a template",
    "{not} a template",
  ]);
});
