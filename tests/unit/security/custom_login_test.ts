import { assertEquals, assertInstanceOf } from "@std/assert";
import { AuthenticationError } from "../../../src/security/authentication.ts";
import { customLogin } from "../../../src/security/custom_login.ts";
import {
  loginContext,
  refusal,
  refusalOf,
} from "../../support/login_context.ts";

const TOKEN = { type: "token", token: "x" } as const;

Deno.test("customLogin() refuses when the function returns nothing or throws", async () => {
  const context = loginContext();
  const none = customLogin("none", () => undefined);
  assertEquals(await refusalOf(none.authenticate(TOKEN, context)), [
    "denied",
    "none refused",
  ]);
  const broken = customLogin("ldap", () => {
    throw new Error("cannot bind with secret x");
  });
  const error = await refusal(broken.authenticate(TOKEN, context));
  assertEquals([error.code, error.detail], ["denied", "ldap failed"]);
  assertInstanceOf(error.cause, Error);
  const strict = customLogin(
    "strict",
    () => Promise.reject(new AuthenticationError("expired", "last year")),
  );
  assertEquals(await refusalOf(strict.authenticate(TOKEN, context)), [
    "expired",
    "last year",
  ]);
});

Deno.test("customLogin() tells what it accepts, and its name is the method", async () => {
  const door = customLogin("door", () => ({ id: "a", roles: ["r"] }), {
    accepts: ["device"],
  });
  assertEquals(door.accepts, ["device"]);
  assertEquals(await door.authenticate(TOKEN, loginContext()), {
    id: "a",
    roles: ["r"],
    method: "door",
  });
});
