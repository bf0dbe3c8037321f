import { assertEquals, assertInstanceOf } from "@std/assert";
import { AuthenticationError } from "../../../src/security/authentication.ts";
import { custom } from "../../../src/security/custom.ts";
import {
  loginContext,
  refusal,
  refusalOf,
} from "../../support/login_context.ts";

const TOKEN = { type: "token", token: "x" } as const;

Deno.test("custom() refuses when the function returns nothing or throws", async () => {
  const context = loginContext();
  const none = custom("none", () => undefined);
  assertEquals(await refusalOf(none.authenticate(TOKEN, context)), [
    "denied",
    "none refused",
  ]);
  const broken = custom("ldap", () => {
    throw new Error("cannot bind with secret x");
  });
  const error = await refusal(broken.authenticate(TOKEN, context));
  assertEquals([error.code, error.detail], ["denied", "ldap failed"]);
  assertInstanceOf(error.cause, Error);
  const strict = custom(
    "strict",
    () => Promise.reject(new AuthenticationError("expired", "last year")),
  );
  assertEquals(await refusalOf(strict.authenticate(TOKEN, context)), [
    "expired",
    "last year",
  ]);
});

Deno.test("custom() tells what it accepts, and its name is the method", async () => {
  const door = custom("door", () => ({ id: "a", roles: ["r"] }), {
    accepts: ["device"],
  });
  assertEquals(door.accepts, ["device"]);
  assertEquals(await door.authenticate(TOKEN, loginContext()), {
    id: "a",
    roles: ["r"],
    method: "door",
  });
});
