import {
  assert,
  assertAlmostEquals,
  assertArrayIncludes,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertNotStrictEquals,
  assertObjectMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  equal,
  fail,
  unreachable,
} from "@std/assert";

Deno.test("every assertion throws AssertionError when it does not hold", () => {
  const failures: (() => unknown)[] = [
    () => assert(0),
    () => assertFalse(1),
    () => assertEquals({ a: [1] }, { a: [2] }),
    () => assertNotEquals({ a: 1 }, { a: 1 }),
    () => assertStrictEquals({}, {}),
    () => assertNotStrictEquals(1, 1),
    () => assertAlmostEquals(1, 1.1),
    () => assertGreater(1, 1),
    () => assertGreaterOrEqual(0, 1),
    () => assertLess(1, 1),
    () => assertLessOrEqual(1, 0),
    () => assertExists(null),
    () => assertInstanceOf(new Date(), RegExp),
    () => assertMatch("a", /b/),
    () => assertStringIncludes("a", "b"),
    () => assertArrayIncludes([1, 2], [3]),
    () => assertObjectMatch({ a: 1 }, { a: 2 }),
    () => assertThrows(() => 0),
    () => fail(),
    () => unreachable(),
  ];
  for (const failure of failures) {
    let thrown: unknown;
    try {
      failure();
    } catch (error) {
      thrown = error;
    }
    if (!(thrown instanceof AssertionError)) {
      throw new Error(`Cannot trust an assertion that passes: ${failure}`);
    }
  }
});

Deno.test("every assertion passes when it holds", () => {
  assert(1);
  assertFalse(0);
  assertEquals(new Uint8Array([1, 2]), new Uint8Array([1, 2]));
  assertNotEquals(1, 2);
  assertStrictEquals(NaN, NaN);
  assertNotStrictEquals({}, {});
  assertAlmostEquals(0.1 + 0.2, 0.3);
  assertGreater(2, 1);
  assertGreaterOrEqual(1n, 1n);
  assertLess(1, 2);
  assertLessOrEqual(1, 1);
  assertMatch("abc", /b/);
  assertStringIncludes("abc", "b");
  assertArrayIncludes([1, { a: 2 }], [{ a: 2 }]);
  assertObjectMatch({ a: 1, b: 2 }, { a: 1 });
  assert(equal([1], [1]));
});

Deno.test("assertThrows() returns the error with the type of its class", () => {
  const error = assertThrows(
    () => {
      throw new DOMException("gone", "AbortError");
    },
    DOMException,
    "gone",
  );
  const code: number = error.code;
  assertEquals(code, DOMException.ABORT_ERR);
});

Deno.test("assertRejects() resolves to the error, and fails on success", async () => {
  const error = await assertRejects(
    () => Promise.reject(new RangeError("too far")),
    RangeError,
    "far",
  );
  assertEquals(error.message, "too far");
  await assertRejects(
    () => assertRejects(() => Promise.resolve()),
    AssertionError,
  );
});

Deno.test("assertExists() and assertInstanceOf() narrow the type", () => {
  const maybe = [new Date(0)].at(0);
  assertExists(maybe);
  assertEquals(maybe.getTime(), 0);
  const unknown: unknown = new Date(1);
  assertInstanceOf(unknown, Date);
  assertEquals(unknown.getTime(), 1);
});
