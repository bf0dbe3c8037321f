import { assertEquals, assertRejects } from "@std/assert";
import { AuditVerifier } from "../../../src/proto/security/audit_chain.ts";
import { AuditError, type AuditEvent } from "../../../src/security/audit.ts";
import {
  AuditLog,
  type AuditLogOptions,
  sha256,
} from "../../../src/security/audit_log.ts";
import {
  checkpointKey,
  checkpointVerifier,
} from "../../../src/security/checkpoint.ts";
import { VirtualClock } from "../../../src/sim/virtual_clock.ts";
import { MemoryAuditStore } from "../../support/memory_audit.ts";
import { turns } from "../../support/wait.ts";

const SECRET = "0123456789abcdef0123456789abcdef";

function open(options: AuditLogOptions = {}) {
  const store = new MemoryAuditStore();
  const clock = new VirtualClock();
  const log = new AuditLog(store, {
    clock,
    now: () => Date.UTC(2026, 0, 1) + clock.now() - 1000,
    ...options,
  });
  return { store, clock, log };
}

const logout = (who: string): AuditEvent => ({ event: "logout", who });

Deno.test("AuditLog.record() writes what comes in one turn at once, and syncs it before it is done", async () => {
  const { store, log } = open();
  await Promise.all(
    ["ada", "bob", "eve"].map((who) => log.record(logout(who))),
  );
  assertEquals(store.calls, ["append 3", "sync"]);
  assertEquals(store.records.map(({ seq, time, who }) => [seq, time, who]), [
    [1, "2026-01-01T00:00:00.000Z", "ada"],
    [2, "2026-01-01T00:00:00.000Z", "bob"],
    [3, "2026-01-01T00:00:00.000Z", "eve"],
  ]);
});

Deno.test("AuditLog.record() leaves out what is no field of an event, and shortens long texts", async () => {
  const { store, log } = open();
  const event = {
    ...logout("x".repeat(10_000)),
    password: "hunter22",
    hash: 1,
  };
  await log.record(event);
  const [record] = store.records;
  assertEquals(Object.keys(record!), [
    "seq",
    "time",
    "previous",
    "event",
    "who",
    "hash",
  ]);
  assertEquals(String(record!["who"]).length, 256);
});

Deno.test("AuditLog.record() rejects while the disk is full, and then tells how many are lost", async () => {
  const { store, log } = open();
  await log.record(logout("ada"));
  store.isFull = true;
  const error = await assertRejects(
    () => log.record(logout("bob")),
    AuditError,
    "Cannot write the record",
  );
  assertEquals((error.cause as Error).message, "No space left on device");
  await assertRejects(() => log.record(logout("eve")), AuditError);
  assertEquals(log.lost, 2);
  store.isFull = false;
  await log.record(logout("ada"));
  assertEquals(store.records.map(({ event, count }) => [event, count]), [
    ["logout", undefined],
    ["records lost", 2],
    ["logout", undefined],
  ]);
  const verifier = new AuditVerifier({ hash: sha256 });
  const lines = store.text.split("\n").slice(0, -1);
  assertEquals(lines.map((line) => verifier.line(line)), [
    undefined,
    undefined,
    undefined,
  ]);
});

Deno.test("AuditLog.record() goes on while the disk is full if it shall count", async () => {
  const { store, log } = open({ whenFull: "count" });
  store.isFull = true;
  await log.record(logout("ada"));
  await turns();
  assertEquals(log.lost, 1);
  store.isFull = false;
  await log.record(logout("bob"));
  await log.close();
  assertEquals(store.records.map(({ event }) => event), [
    "records lost",
    "logout",
  ]);
});

Deno.test("AuditLog.record() refuses more than may wait", async () => {
  const { store, log } = open({ maxQueuedRecords: 3 });
  const gate = Promise.withResolvers<void>();
  store.gate = gate.promise;
  const first = log.record(logout("first"));
  await turns();
  const waiting = [1, 2, 3].map((n) => log.record(logout(`${n}`)));
  await assertRejects(
    () => log.record(logout("too many")),
    AuditError,
    "3 records wait to be written",
  );
  gate.resolve();
  await Promise.all([first, ...waiting]);
  assertEquals(store.records.length, 5, "4 logouts and what was lost");
});

Deno.test("AuditLog syncs at intervals, or leaves it to the system", async () => {
  const interval = open({ sync: "interval", syncMs: 500 });
  await interval.log.record(logout("ada"));
  await interval.log.record(logout("bob"));
  assertEquals(interval.store.calls, ["append 1", "append 1"]);
  await interval.clock.advance(501);
  assertEquals(interval.store.calls.slice(2), ["sync"]);
  const never = open({ sync: "never" });
  await never.log.record(logout("ada"));
  await never.log.close();
  assertEquals(never.store.calls, ["append 1", "close"]);
});

Deno.test("AuditLog signs after so many records, after a time, and at its end", async () => {
  const told: string[] = [];
  const { store, log, clock } = open({
    checkpointKey: checkpointKey(SECRET),
    checkpointRecords: 3,
    checkpointMs: 60_000,
    checkpointed: (line) => told.push(line),
  });
  for (const who of ["a", "b", "c"]) await log.record(logout(who));
  const events = () => store.records.map(({ event }) => event).join(" ");
  assertEquals(events(), "logout logout logout checkpoint");
  await log.record(logout("d"));
  await clock.advance(60_001);
  assertEquals(events().split(" ").slice(4), ["logout", "checkpoint"]);
  await clock.advance(600_000);
  assertEquals(store.records.length, 6, "nothing new is nothing to sign");
  await log.record(logout("e"));
  await log.close();
  assertEquals(events().split(" ").slice(6), ["logout", "checkpoint"]);
  assertEquals(
    store.calls.slice(-4),
    ["append 1", "sync", "checkpoint", "sync", "close"].slice(-4),
  );
  assertEquals(told.length, 3);
  assertEquals(told.at(-1), store.checkpoint);
  const verifier = new AuditVerifier({
    hash: sha256,
    verify: checkpointVerifier(SECRET),
  });
  for (const line of store.text.split("\n").slice(0, -1)) {
    assertEquals(verifier.line(line), undefined);
  }
  assertEquals(verifier.signedSeq, 8);
  assertEquals(clock.armed, 0);
});

Deno.test("AuditLog.record() rejects once the log is closed", async () => {
  const { log } = open();
  await log.close();
  await assertRejects(
    () => log.record(logout("ada")),
    AuditError,
    "the log is closed",
  );
});
