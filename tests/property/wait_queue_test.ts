import { assertEquals } from "@std/assert";
import { seededRandom } from "../../src/bytes/random.ts";
import { WaitQueue } from "../../src/client/wait_queue.ts";
import { VirtualClock } from "../../src/sim/virtual_clock.ts";
import { turns } from "../support/wait.ts";

Deno.test("WaitQueue serves in order of arrival those who are still there", async () => {
  for (let seed = 0; seed < 100; seed++) {
    const random = seededRandom(seed);
    const clock = new VirtualClock();
    const queue = new WaitQueue<number>(clock, () => new Error("Late"));
    const waiting: { ticket: number; untilMs: number; abort: () => void }[] =
      [];
    const expected = new Map<number, string>();
    const seen = new Map<number, string>();
    const controllers: AbortController[] = [];
    for (let ticket = 0; ticket < 200; ticket++) {
      const dice = random();
      if (dice < 0.5) {
        const controller = new AbortController();
        controllers.push(controller);
        const waitMs = random() < 0.2 ? Infinity : Math.ceil(random() * 60);
        waiting.push({
          ticket,
          untilMs: clock.now() + waitMs,
          abort: () => controller.abort(new Error("Gone")),
        });
        void queue.wait(waitMs, controller.signal).then(
          (value) => seen.set(ticket, `served ${value}`),
          ({ message }: Error) => seen.set(ticket, message),
        );
      } else if (dice < 0.7) {
        const first = waiting.shift();
        assertEquals(queue.serve(ticket), first !== undefined, `seed ${seed}`);
        if (first !== undefined) expected.set(first.ticket, `served ${ticket}`);
      } else if (dice < 0.8) {
        const at = Math.floor(random() * waiting.length);
        const [gone] = waiting.splice(at, 1);
        gone?.abort();
        if (gone !== undefined) expected.set(gone.ticket, "Gone");
      } else {
        const ms = Math.floor(random() * 20);
        for (const one of [...waiting]) {
          if (one.untilMs > clock.now() + ms) continue;
          waiting.splice(waiting.indexOf(one), 1);
          expected.set(one.ticket, "Late");
        }
        await clock.advance(ms);
      }
      await turns(1);
      assertEquals(queue.size, waiting.length, `seed ${seed}`);
      assertEquals(seen, expected, `seed ${seed}`);
    }
    queue.failAll(new Error("Closed"));
    await turns(1);
    for (const { ticket } of waiting) expected.set(ticket, "Closed");
    assertEquals(seen, expected, `seed ${seed}`);
    // Too late: they are no longer there.
    for (const controller of controllers) controller.abort();
    assertEquals([queue.size, clock.armed], [0, 0], `seed ${seed}`);
  }
});
