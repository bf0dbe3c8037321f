import {
  assert,
  assertEquals,
  assertNotStrictEquals,
  assertStrictEquals,
} from "@std/assert";
import { snapshot } from "../../../../src/proto/rpc/snapshot.ts";

const COPIED: unknown[] = [
  null,
  undefined,
  true,
  1,
  "text",
  [1, [2, { a: "b" }]],
  { a: { b: [] }, c: null },
  Object.assign(Object.create(null), { a: 1 }),
  new Uint8Array([1, 2]),
];

for (const value of COPIED) {
  Deno.test(`snapshot() copies ${Deno.inspect(value)}`, () => {
    const taken = snapshot(value, 10_000)!;
    assertEquals(taken.value, value);
    assert(taken.bytes >= 16);
    if (typeof value === "object" && value !== null) {
      assertNotStrictEquals(taken.value, value);
    }
  });
}

Deno.test("snapshot() takes a Date and other objects as they are", () => {
  for (const value of [new Date(0), new URL("tcp://a"), /x/]) {
    assertStrictEquals(
      snapshot({ value }, 1000)?.value instanceof Object,
      true,
    );
    const { value: kept } = snapshot({ value }, 1000)!.value as {
      value: unknown;
    };
    assertStrictEquals(kept, value);
  }
});

Deno.test("snapshot() copies nothing that takes more than allowed", () => {
  assertEquals(snapshot("x".repeat(100), 215), undefined);
  assertEquals(snapshot("x".repeat(100), 216)?.bytes, 216);
  assertEquals(snapshot(new Uint8Array(1000), 1000), undefined);
  assertEquals(snapshot({ ["k".repeat(1000)]: 1 }, 1000), undefined);
  assertEquals(snapshot(Array(1000).fill(0), 1000), undefined);
});

Deno.test("snapshot() ends on what contains itself or is nested without an end", () => {
  const ring: unknown[] = [];
  ring.push(ring);
  assertEquals(snapshot(ring, Infinity), undefined);
  let deep: unknown[] = [];
  for (let i = 0; i < 100_000; i++) deep = [deep];
  assertEquals(snapshot(deep, 1e9), undefined);
});
