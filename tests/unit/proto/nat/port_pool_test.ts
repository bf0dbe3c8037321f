import { assertEquals } from "@std/assert";
import { seededRandom } from "../../../../src/bytes/random.ts";
import { PortPool } from "../../../../src/proto/nat/port_pool.ts";

Deno.test("PortPool.find() finds every port of a range once, then none", () => {
  for (const [first, last] of [[1024, 65_535], [1, 1023], [33, 33], [5, 70]]) {
    const pool = new PortPool(seededRandom(7));
    const found = new Set<number>();
    for (let port; (port = pool.find(first!, last!)) !== undefined;) {
      pool.add(port);
      found.add(port);
    }
    assertEquals(found.size, last! - first! + 1);
    assertEquals(Math.min(...found), first);
    assertEquals(Math.max(...found), last);
    pool.delete(first!);
    assertEquals(pool.find(first!, last!), first);
  }
});

Deno.test("PortPool.find() keeps to the parity", () => {
  for (const parity of [0, 1]) {
    const pool = new PortPool(seededRandom(7));
    let count = 0;
    for (let port; (port = pool.find(1000, 1999, parity)) !== undefined;) {
      pool.add(port);
      assertEquals(port % 2, parity);
      count++;
    }
    assertEquals(count, 500);
  }
});
