import { assert } from "@std/assert";
import { sameValue } from "../../../../src/proto/codec_kit/same_value.ts";

Deno.test("sameValue() is true for what says the same", () => {
  const same: [unknown, unknown][] = [
    [1, 1],
    [0, -0],
    [NaN, NaN],
    [10n, 10n],
    ["a", "a"],
    [null, null],
    [[1, [2]], [1, [2]]],
    [{ a: 1, b: { c: [] } }, { b: { c: [] }, a: 1 }],
    [{ a: 1 }, { a: 1, b: undefined }],
    [new Date(5), new Date(5)],
    [new Uint8Array([1, 2]), new Uint8Array([0, 1, 2]).subarray(1)],
  ];
  for (const [a, b] of same) assert(sameValue(a, b) && sameValue(b, a));
});

Deno.test("sameValue() is false for what differs", () => {
  const different: [unknown, unknown][] = [
    [1, 2],
    [1, "1"],
    [1, 1n],
    [null, undefined],
    [null, {}],
    [[], {}],
    [[1], [1, 2]],
    [{ a: 1 }, { a: 2 }],
    [{ a: 1 }, { b: 1 }],
    [{ a: 1 }, { a: 1, b: null }],
    [new Date(5), new Date(6)],
    [new Date(5), {}],
    [new Uint8Array([1]), [1]],
    [new Uint8Array([1]), new Uint8Array([2])],
  ];
  for (const [a, b] of different) {
    assert(!sameValue(a, b) && !sameValue(b, a));
  }
});
