import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { json } from "../../../../src/proto/codec/json.ts";
import {
  type StandardSchema,
  validator,
} from "../../../../src/proto/codec/validate.ts";
import { RemoteProtocolError } from "../../../../src/proto/errors.ts";
import { utf8 } from "../../../support/three_ways.ts";

function schema<T>(
  validate: StandardSchema<T>["~standard"]["validate"],
): StandardSchema<T> {
  return { "~standard": { version: 1, vendor: "test", validate } };
}

Deno.test("validator() passes what a function returns", () => {
  assertEquals(validator((value) => Number(value) + 1)("2"), 3);
});

Deno.test("validator() trusts everything when there is nothing to ask", () => {
  const value = {};
  assertStrictEquals(validator(undefined)(value), value);
});

Deno.test("validator() refuses with the reason and cause of a function", () => {
  const cause = new TypeError("no name");
  const validate = validator(() => {
    throw cause;
  });
  const error = assertThrows(() => validate(1), RemoteProtocolError, "no name");
  assertEquals(error.code, "invalid_message");
  assertEquals(error.recoverable, true);
  assertStrictEquals(error.cause, cause);
});

Deno.test("validator() takes a Standard Schema, also one that is a function", () => {
  const trim = schema((value) => ({ value: String(value).trim() }));
  assertEquals(validator(trim)(" a "), "a");
  const callable = Object.assign(() => "called", trim);
  assertEquals(validator<string>(callable)(" a "), "a");
});

Deno.test("validator() refuses with the issues of a Standard Schema", () => {
  const strict = schema<never>(() => ({
    issues: [{ message: "no name" }, { message: "no age" }],
  }));
  const error = assertThrows(
    () => validator(strict)({}),
    RemoteProtocolError,
    "no name; no age",
  );
  assertEquals(error.code, "invalid_message");
});

Deno.test("validator() throws TypeError when the schema is asynchronous", () => {
  const later = schema((value) => Promise.resolve({ value }));
  assertThrows(() => validator(later)(1), TypeError, "asynchronous");
});

Deno.test("json() takes its type from a schema and applies it", () => {
  const codec = json({ validate: schema((v) => ({ value: String(v) })) });
  const message: string = codec.decode(utf8("12"));
  assertEquals(message, "12");
});
