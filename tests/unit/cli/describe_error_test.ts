import { assertEquals } from "@std/assert";
import { describeError } from "../../../src/cli/describe_error.ts";
import { EndpointError } from "../../../src/io/endpoint_error.ts";

Deno.test("describeError() joins the messages of causes", () => {
  const root = new Error("Disk is full (os error 28)");
  const middle = new Error("Cannot write block 7", { cause: root });
  const error = new Error("Cannot store file", { cause: middle });
  assertEquals(
    describeError(error),
    "Cannot store file: Cannot write block 7: Disk is full",
  );
});

Deno.test("describeError() leaves out a cause that says the same", () => {
  const cause = new Error("connection refused");
  const error = new Error("Cannot dial: Connection refused", { cause });
  assertEquals(describeError(error), "Cannot dial: Connection refused");
});

Deno.test("describeError() takes the message of an endpoint error as complete", () => {
  const cause = new Deno.errors.ConnectionRefused(
    "Connection refused (os 111)",
  );
  const endpoint = { scheme: "tcp", hostname: "::1", port: 9 } as const;
  assertEquals(
    describeError(new EndpointError("connect to", endpoint, cause)),
    "Cannot connect to tcp://[::1]:9: connection refused",
  );
});

Deno.test("describeError() ends for a cause that is its own cause", () => {
  const error = new Error("circular");
  error.cause = error;
  assertEquals(describeError(error), "circular");
});

Deno.test("describeError() is one harmless line for anything that is thrown", () => {
  assertEquals(describeError("text"), "text");
  assertEquals(describeError(null), "null");
  assertEquals(describeError(new TypeError()), "TypeError");
  assertEquals(describeError(new Error("a\nb\x1b[2J\u202e")), "a b");
  assertEquals(
    describeError(new AggregateError([new Error("a"), new Error("b")])),
    "a; b",
  );
});
