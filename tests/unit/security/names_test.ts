import { assertEquals, assertThrows } from "@std/assert";
import {
  checkName,
  checkRoles,
  normalizeName,
} from "../../../src/security/names.ts";

Deno.test("checkName() takes letters of all scripts, digits and a few signs", () => {
  for (
    const name of [
      "ada",
      "Ada.Lovelace_1+x@example.org",
      "00:1b:44:11:3a:b7",
      "plant-1/boiler",
      "søren",
      "東京",
      "a".repeat(64),
    ]
  ) assertEquals(checkName(name, "name"), name);
  for (
    const name of ["", " ", "a b", "a\n", "a\0", "<a>", "a,b", "a".repeat(65)]
  ) {
    assertThrows(() => checkName(name, "name"), TypeError, "Cannot use a name");
  }
});

Deno.test("normalizeName() keeps no more of a name than makes it too long", () => {
  assertEquals(normalizeName("e\u0301"), "\u00e9");
  assertEquals(normalizeName("x".repeat(1e6)).length, 65);
});

Deno.test("checkRoles() refuses what is no list of names", () => {
  assertEquals(checkRoles([], "ada"), []);
  for (const roles of [undefined, null, "admin", [1], ["a b"], [""], {}]) {
    assertThrows(() => checkRoles(roles, "ada"), TypeError);
  }
});
