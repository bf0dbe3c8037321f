import { assertEquals } from "@std/assert";
import { classifyError } from "../../../src/client/classify.ts";
import { PoolTimeoutError } from "../../../src/client/pool_errors.ts";
import { RequestTimeoutError } from "../../../src/client/requests.ts";
import { parseEndpoint } from "../../../src/io/endpoint.ts";
import { EndpointError } from "../../../src/io/endpoint_error.ts";
import { ConnectionEndedError } from "../../../src/io/peer.ts";
import { LocalProtocolError } from "../../../src/proto/errors.ts";

Deno.test("classifyError() tells what an error says about the server", () => {
  const endpoint = parseEndpoint("tcp://127.0.0.1:1");
  const kinds = [
    new RequestTimeoutError(5, ""),
    new Deno.errors.TimedOut(),
    new DOMException("", "TimeoutError"),
    new ConnectionEndedError("ask", { cause: "peer closed" }),
    new Deno.errors.ConnectionReset(),
    new Deno.errors.BrokenPipe(),
    new EndpointError("connect to", endpoint, new Deno.errors.TimedOut()),
    new Deno.errors.ConnectionRefused(),
    new PoolTimeoutError(5),
    new LocalProtocolError("unencodable", "Cannot encode"),
    new DOMException("", "AbortError"),
    new Error("Who knows"),
    undefined,
  ].map((error) => {
    const { ok, kind, ...rest } = classifyError(error);
    assertEquals([ok, rest], [false, {}]);
    return kind;
  });
  assertEquals(kinds, [
    ...Array(3).fill("timed out"),
    ...Array(3).fill("connection lost"),
    ...Array(3).fill("refused"),
    ...Array(2).fill("cancelled"),
    ...Array(2).fill("answered"),
  ]);
});
