import { assertEquals, assertThrows } from "@std/assert";
import { decode, encode, type ValueType } from "@std/msgpack";

Deno.test("decode() restores what encode() wrote", () => {
  const value: ValueType = {
    text: "é",
    list: [1, -1, 2 ** 40, 0.5, true, null],
    bytes: new Uint8Array([1, 2, 3]),
    nested: { deep: { deeper: 1n } },
  };
  assertEquals(decode(encode(value)), value);
});

Deno.test("decode() throws EvalError when bytes are left or missing", () => {
  const bytes = encode([1, 2]);
  assertThrows(() => decode(bytes.subarray(0, -1)));
  assertThrows(() => decode(new Uint8Array([...bytes, 0])), EvalError);
});
