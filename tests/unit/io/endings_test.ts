import { assertEquals } from "@std/assert";
import { readFailure, writeFailure } from "../../../src/io/endings.ts";

Deno.test("readFailure() and writeFailure() tell a peer that does not answer from one that has left", () => {
  const silent = new Deno.errors.TimedOut("Connection timed out");
  const gone = new Deno.errors.ConnectionReset("Connection reset by peer");
  for (const ending of [readFailure(silent), writeFailure(silent)]) {
    assertEquals(ending.cause, "timed out");
  }
  for (const ending of [readFailure(gone), writeFailure(gone)]) {
    assertEquals([ending.cause, ending.reason], ["peer closed", "reset"]);
  }
});
