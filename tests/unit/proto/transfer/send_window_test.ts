import { assert, assertEquals, assertThrows } from "@std/assert";
import { RemoteProtocolError } from "../../../../src/proto/errors.ts";
import { SendWindow } from "../../../../src/proto/transfer/send_window.ts";
import { LEAF_BYTES } from "../../../../src/proto/transfer/tree.ts";

/** Sends leaves at `bytesPerMs` over a line with `roundTripMs`; the window in the end. */
function run(roundTripMs: number, bytesPerMs: number, leaves: number): number {
  const window = new SendWindow();
  const due: number[] = [];
  let nowMs = 0;
  let freeMs = 0;
  for (let sent = 0, settled = 0; settled < leaves;) {
    while (window.admit(sent, LEAF_BYTES, nowMs)) {
      freeMs = Math.max(freeMs, nowMs) + LEAF_BYTES / bytesPerMs;
      due.push(freeMs + roundTripMs);
      sent++;
    }
    nowMs = due[settled]!;
    window.settle(++settled, nowMs);
  }
  return window.bytes;
}

Deno.test("SendWindow lets two leaves be under way on a short line", () => {
  const window = new SendWindow();
  assertEquals(window.admit(0, LEAF_BYTES, 0), true);
  assertEquals(window.admit(0, LEAF_BYTES, 0), true);
  assertEquals(window.admit(0, 1, 0), false);
  assertEquals(window.settle(1, 1).map(({ bytes }) => bytes), [LEAF_BYTES]);
  assertEquals(window.admit(1, 1, 1), true);
  assertEquals(run(0.1, 1e6, 500), 2 * LEAF_BYTES);
});

Deno.test("SendWindow grows to what a long line holds", () => {
  // 100 MB/s and 50 ms: 5 MB are under way.
  const bytes = run(50, 1e5, 3000);
  assert(bytes >= 5e6 && bytes <= 16 * 1024 * 1024, `${bytes}`);
  // 20 Mbit/s and 50 ms: little more than two leaves are.
  assert(run(50, 2500, 300) <= 8 * LEAF_BYTES);
});

Deno.test("SendWindow refuses acknowledgements of what was not sent", () => {
  const window = new SendWindow();
  window.admit(0, 1, 0);
  assertThrows(() => window.settle(2, 0), RemoteProtocolError, "1 were sent");
  window.settle(1, 0);
  assertThrows(() => window.settle(0, 0), RemoteProtocolError);
});
