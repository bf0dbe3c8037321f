import { assertEquals, assertNotStrictEquals } from "@std/assert";
import { DedupeWindow } from "../../../../src/proto/rpc/dedupe_window.ts";
import { RPC_CODES } from "../../../../src/proto/rpc/errors.ts";

Deno.test("DedupeWindow remembers a running call for as long as it runs", () => {
  const window = new DedupeWindow<string>({ ms: 10 });
  const entry = window.open("k", "pay", "ann", 0)!;
  assertEquals(window.get("k", 1e9), entry);
  assertEquals([...entry.callers], ["ann"]);
  assertEquals(entry.outcome, undefined);
});

Deno.test("DedupeWindow counts the time from the answer, not from the request", () => {
  const window = new DedupeWindow<string>({ ms: 10 });
  const slow = window.open("slow", "pay", "", 0)!;
  const quick = window.open("quick", "pay", "", 0)!;
  window.settle(quick, { result: 1 }, 5);
  window.settle(slow, { result: 2 }, 100);
  assertEquals(window.get("quick", 14)?.outcome, { result: 1 });
  assertEquals(window.get("quick", 15), undefined);
  assertEquals(window.get("slow", 109)?.outcome, { result: 2 });
  assertEquals(window.get("slow", 110), undefined);
  assertEquals([window.size, window.bytes], [0, 0]);
});

Deno.test("DedupeWindow keeps the answer as it was", () => {
  const window = new DedupeWindow<string>();
  const account = { balance: 10 };
  const entry = window.open("k", "pay", "", 0)!;
  const told = window.settle(entry, { result: account }, 1);
  account.balance = 0;
  assertEquals(told, { result: { balance: 10 } });
  assertEquals(window.get("k", 2)?.outcome, { result: { balance: 10 } });
  assertNotStrictEquals(told, { result: account });
});

Deno.test("DedupeWindow refuses new calls beyond maxEntries, until old ones expire", () => {
  const window = new DedupeWindow<number>({ ms: 10, maxEntries: 2 });
  const first = window.open("1", "pay", 0, 0)!;
  window.open("2", "pay", 0, 0);
  assertEquals(window.open("3", "pay", 0, 0), undefined);
  window.settle(first, { result: 1 }, 0);
  assertEquals(window.open("3", "pay", 0, 9), undefined);
  assertEquals(window.open("3", "pay", 0, 10)?.key, "3");
});

Deno.test("DedupeWindow never takes more than maxBytes, and tells when an answer was not kept", () => {
  const window = new DedupeWindow<number>({ ms: 10, maxBytes: 1000 });
  const entry = window.open("1", "pay", 0, 0)!;
  const large = { result: "x".repeat(1000) };
  assertEquals(window.settle(entry, large, 0), large);
  assertEquals(window.get("1", 5)?.outcome, {
    error: {
      code: RPC_CODES.answerNotKept,
      message: "The call was carried out before, and its answer was not kept",
    },
  });
  for (let n = 2; window.open(String(n), "pay", 0, 5) !== undefined; n++);
  assertEquals(window.bytes <= 1000, true);
  assertEquals(window.open("k".repeat(500), "pay", 0, 10), undefined);
});
