import { assertEquals, assertThrows } from "@std/assert";
import {
  RequestLostError,
  RpcError,
} from "../../../../src/proto/rpc/errors.ts";

Deno.test("RpcError is sent as code, message and data, and nothing else", () => {
  const error = new RpcError(4, "no", { data: { a: 1 }, cause: "a secret" });
  assertEquals(
    JSON.stringify(error),
    '{"code":4,"message":"no","data":{"a":1}}',
  );
  assertEquals(
    JSON.stringify(new RpcError(4, "no")),
    '{"code":4,"message":"no"}',
  );
  assertEquals(error.cause, "a secret");
});

Deno.test("RpcError throws when its code is no integer", () => {
  for (const code of [1.5, NaN, Infinity, 2 ** 60]) {
    assertThrows(() => new RpcError(code, ""), RangeError, `is ${code}`);
  }
});

Deno.test("RequestLostError says whether the request may have been carried out", () => {
  assertEquals(
    [true, false].map((mayBeDone) =>
      new RequestLostError("pay", mayBeDone, "gone").message
    ),
    [
      "Cannot get an answer to 'pay': gone; it may have been carried out",
      "Cannot get an answer to 'pay': gone; it was not sent",
    ],
  );
});
