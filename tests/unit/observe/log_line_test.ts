import { assert, assertEquals } from "@std/assert";
import { RemoteProtocolError } from "../../../src/proto/errors.ts";
import type { ServerEvent } from "../../../src/observe/events.ts";
import { logLine } from "../../../src/observe/log_line.ts";

const peer = { id: 4, address: "192.0.2.7:4242", endpoint: "tcp://[::]:9999" };
const { endpoint } = peer;

/** Level and text of an event's line, with its detail filled in. */
function told(event: ServerEvent): string {
  const { level, text, detail } = logLine(event);
  return `${level}: ${text.replace("{detail}", () => detail!)}`;
}

const EVENTS: [ServerEvent, string][] = [
  [{ type: "listening", endpoint }, "debug: Listening on tcp://[::]:9999"],
  [
    { type: "accepted", peer },
    "debug: 192.0.2.7:4242 connected to tcp://[::]:9999",
  ],
  [
    {
      type: "refused",
      endpoint,
      address: peer.address,
      limit: "maxConnections",
    },
    "warn: Refused 192.0.2.7:4242 at tcp://[::]:9999: maxConnections",
  ],
  [
    {
      type: "hello failed",
      endpoint,
      address: peer.address,
      error: new Error("No common codec"),
    },
    "warn: 192.0.2.7:4242 said no hello at tcp://[::]:9999: No common codec",
  ],
  [
    { type: "waiting", endpoint, limit: "acceptsPerSecond" },
    "warn: Accepting at tcp://[::]:9999 waits: acceptsPerSecond",
  ],
  [
    {
      type: "accept failed",
      endpoint,
      descriptors: true,
      pauseMs: 100,
      error: new Error("Too many open files"),
    },
    "error: Cannot accept at tcp://[::]:9999, next try in 100 ms: Too many open files",
  ],
  [
    { type: "closed", peer, ending: { cause: "peer closed" } },
    "debug: 192.0.2.7:4242 ended: peer closed",
  ],
  [
    {
      type: "closed",
      peer,
      ending: { cause: "timed out", reason: "idle for 60000 ms" },
    },
    "debug: 192.0.2.7:4242 ended: timed out: idle for 60000 ms",
  ],
  [
    {
      type: "closed",
      peer,
      ending: {
        cause: "failed",
        error: new Error("Cannot save", { cause: new Error("disk full") }),
      },
    },
    "error: 192.0.2.7:4242 ended: failed: Cannot save: disk full",
  ],
  [
    { type: "limit", peer, limit: "idleMs", detail: "idle for 60000 ms" },
    "info: 192.0.2.7:4242 reached idleMs: idle for 60000 ms",
  ],
  [
    { type: "limit", peer, limit: "frameMs", detail: "" },
    "warn: 192.0.2.7:4242 reached frameMs",
  ],
  [
    {
      type: "invalid",
      peer,
      error: new RemoteProtocolError("malformed", "Cannot decode JSON"),
    },
    "warn: 192.0.2.7:4242 sent what is no message: malformed: Cannot decode JSON",
  ],
  [
    { type: "slow", peer, slow: true, bufferedBytes: 70_000 },
    "info: 192.0.2.7:4242 is slow, 70000 bytes wait for it",
  ],
  [
    { type: "slow", peer, slow: false, bufferedBytes: 0 },
    "debug: 192.0.2.7:4242 has caught up",
  ],
  [
    { type: "gap", peer, group: "everyone", missed: 3 },
    "warn: 192.0.2.7:4242 missed 3 messages of a group: everyone",
  ],
  [
    { type: "callback failed", peer, error: "no error at all" },
    "error: 192.0.2.7:4242 is gone and a callback failed: no error at all",
  ],
  [
    { type: "suspended" },
    "info: Listening is suspended, connections live on",
  ],
  [
    { type: "draining", connections: 12, deadlineMs: 2500 },
    "info: Draining 12 connections within 2.5 s",
  ],
  [{ type: "stopped" }, "info: Stopped"],
];

for (const [event, line] of EVENTS) {
  Deno.test(`logLine() tells "${event.type}" as ${line.slice(0, 40)}…`, () => {
    assertEquals(told(event), line);
  });
}

Deno.test("logLine() puts what others said into the detail alone, printable and short", () => {
  const hostile = "\x1b[2J\r\n{text}\u202e\u2028\ud800" + "x".repeat(1000);
  const { text, detail = "" } = logLine({
    type: "invalid",
    peer,
    error: new RemoteProtocolError("malformed", hostile),
  });
  assertEquals(
    text,
    "192.0.2.7:4242 sent what is no message: malformed: {detail}",
  );
  assert(
    detail.startsWith(
      "\\u{1b}[2J\\u{d}\\u{a}{text}\\u{202e}\\u{2028}\\u{d800}xxx",
    ),
    detail,
  );
  assert(detail.length < 400 && detail.endsWith("x…"), detail);
});

Deno.test("logLine() does not end a detail in the middle of a character", () => {
  const { detail } = logLine({
    type: "limit",
    peer,
    limit: "frameMs",
    detail: `${"x".repeat(299)}🚢`,
  });
  assertEquals(detail?.isWellFormed(), true);
});
