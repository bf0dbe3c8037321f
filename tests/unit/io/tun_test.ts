import { assertThrows } from "@std/assert";
import { Tun } from "../../../src/io/tun.ts";

Deno.test("Tun.open() refuses a name that no device can have", () => {
  for (const name of ["", "0123456789abcdef"]) {
    assertThrows(() => Tun.open(name), RangeError, "1 to 15 bytes");
  }
});

Deno.test({
  name: "Tun.open() without the C library says which permission is missing",
  permissions: { ffi: false },
  fn() {
    assertThrows(() => Tun.open("tun%d"), Error, "--allow-ffi");
  },
});
