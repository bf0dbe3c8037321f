import { assertEquals } from "@std/assert";
import {
  adjustChecksum,
  internetChecksum,
  read16,
  sumChange,
  write16,
} from "../../../../src/proto/ip_packet/checksum.ts";
import { checkProperty, fc } from "../../../support/property.ts";

Deno.test("adjustChecksum() comes to what internetChecksum() computes anew", () => {
  checkProperty(
    fc.tuple(
      fc.uint8Array({ minLength: 20, maxLength: 60 }),
      fc.nat({ max: 9 }),
      fc.nat({ max: 0xffff }),
    ),
    ([bytes, word, value]) => {
      // All zeros has two checksums; no packet is made of them.
      bytes[0] = 0x45;
      const at = word === 0 ? 2 : word * 2;
      const before = internetChecksum(bytes);
      const change = sumChange(read16(bytes, at), value);
      write16(bytes, at, value);
      assertEquals(adjustChecksum(before, change), internetChecksum(bytes));
    },
  );
});
