import { assertEquals } from "@std/assert";
import {
  isAnswer,
  requestFault,
  response,
  rpcNotification,
} from "../../../../src/proto/rpc/messages.ts";

const SOUND = { jsonrpc: "2.0", method: "m" };

Deno.test("requestFault() finds nothing wrong with sound requests", () => {
  for (
    const members of [
      {},
      { id: 1 },
      { id: "" },
      { id: null },
      { id: -1.5, params: [] },
      { params: {}, unknown: "member" },
      { id: 1, deadline_ms: 0.5, stream: true },
      { id: 1, stream: 64 },
      { id: 1, idempotency_key: "k".repeat(256) },
    ]
  ) assertEquals(requestFault({ ...SOUND, ...members }), undefined);
});

Deno.test("requestFault() says what is wrong with others", () => {
  const faults: [members: Record<string, unknown>, fault: string][] = [
    [{ jsonrpc: undefined }, `'jsonrpc' must be "2.0"`],
    [{ jsonrpc: 2 }, `'jsonrpc' must be "2.0"`],
    [{ method: null }, "'method' must be a string"],
    [{ id: {} }, "'id' must be a string, a number or null"],
    [{ id: 1n }, "'id' must be a string, a number or null"],
    [{ params: 1 }, "'params' must be an array or an object"],
    [{ deadline_ms: null }, "'deadline_ms' must be a number"],
    [{ stream: false }, "'stream' must be true or a number above 0"],
    [
      { idempotency_key: "" },
      "'idempotency_key' must be a string of 1 to 256 characters",
    ],
    [
      { idempotency_key: "k", stream: 1 },
      "a stream cannot have an 'idempotency_key'",
    ],
  ];
  for (const [members, fault] of faults) {
    assertEquals(requestFault({ ...SOUND, ...members }), fault);
  }
});

Deno.test("isAnswer() tells answers from requests and from neither", () => {
  assertEquals(isAnswer({ id: 1, result: null }), true);
  assertEquals(isAnswer({ id: 1, error: {} }), true);
  assertEquals(isAnswer({ id: 1 }), false);
  assertEquals(isAnswer({ method: "m", result: 1 }), false);
});

Deno.test("response() has a result, be it null, or an error", () => {
  assertEquals(response(1, { result: undefined }), {
    jsonrpc: "2.0",
    result: null,
    id: 1,
  });
  const error = { code: 1, message: "no" };
  assertEquals(response("a", { error }), { jsonrpc: "2.0", error, id: "a" });
});

Deno.test("rpcNotification() has no id, and no params that are undefined", () => {
  assertEquals(Object.keys(rpcNotification("m")), ["jsonrpc", "method"]);
  assertEquals(rpcNotification("m", [1]).params, [1]);
});
