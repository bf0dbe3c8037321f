import { assertEquals } from "@std/assert";
import type { Conn } from "../../../src/io/transport.ts";
import { Acceptor, Admission, sourceOf } from "../../../src/server/acceptor.ts";
import {
  DEFAULT_SERVER_LIMITS,
  type ServerLimits,
} from "../../../src/server/limits.ts";
import { VirtualClock } from "../../../src/sim/virtual_clock.ts";
import { Recorder } from "../../support/recorder.ts";
import { ScriptedListener } from "../../support/scripted_listener.ts";
import { turns, within } from "../../support/wait.ts";

function admission(
  limits: ServerLimits,
  clock: VirtualClock,
  waits = false,
): Admission {
  return new Admission({ ...DEFAULT_SERVER_LIMITS, ...limits }, waits, clock);
}

/** An acceptor over a scripted listener, with what it took and told. */
class Entrance {
  readonly clock = new VirtualClock();
  readonly listener = new ScriptedListener();
  readonly recorder = new Recorder();
  readonly taken: Conn[] = [];
  readonly admission: Admission;
  readonly acceptor: Acceptor;
  readonly running: Promise<void>;

  constructor(limits: ServerLimits = {}, waits = false) {
    this.admission = admission(limits, this.clock, waits);
    this.acceptor = new Acceptor(
      this.listener,
      this.admission,
      this.recorder.observe,
      (conn) => {
        this.taken.push(conn);
        this.admission.enter("somewhere");
      },
    );
    this.running = this.acceptor.run();
  }

  async close(): Promise<void> {
    this.acceptor.close();
    await within("the end of run()", this.running);
    assertEquals(this.clock.armed, 0);
  }
}

/** What the runtime throws when the process has no descriptors left. */
function descriptorsOut(): Error {
  const error = new Error("Too many open files (os error 24)");
  return Object.assign(error, { code: "EMFILE" });
}

Deno.test("Acceptor takes connections in order until it is closed", async () => {
  const entrance = new Entrance();
  for (let i = 0; i < 3; i++) entrance.listener.offer();
  await turns();
  assertEquals(entrance.taken.length, 3);
  await entrance.close();
  entrance.listener.offer();
  await turns();
  assertEquals(entrance.taken.length, 3);
  assertEquals(entrance.recorder.events, []);
});

Deno.test("Acceptor passes over the errors of single connections", async () => {
  const entrance = new Entrance();
  entrance.listener.offer(new Deno.errors.ConnectionAborted("gone"));
  entrance.listener.offer(new Deno.errors.ConnectionReset("gone"));
  entrance.listener.offer(new Deno.errors.NotConnected("gone"));
  entrance.listener.offer();
  await turns();
  assertEquals(entrance.taken.length, 1);
  assertEquals(entrance.recorder.events, []);
  await entrance.close();
});

Deno.test("Acceptor rests when descriptors run out, and goes on", async () => {
  const entrance = new Entrance();
  const { listener, clock, recorder } = entrance;
  const error = descriptorsOut();
  listener.offer(error);
  listener.offer();
  await turns();
  assertEquals(recorder.events, [{
    type: "accept failed",
    endpoint: "memory:scripted",
    descriptors: true,
    pauseMs: 100,
    error,
  }]);
  assertEquals([listener.accepts, entrance.taken.length], [1, 0]);
  await clock.advance(99);
  assertEquals(listener.accepts, 1);
  await clock.advance(1);
  assertEquals(entrance.taken.length, 1);
  await entrance.close();
});

Deno.test("Acceptor survives errors that it does not know", async () => {
  const entrance = new Entrance();
  const { listener, clock, recorder } = entrance;
  listener.offer(new Error("What is this?"));
  listener.offer(new Deno.errors.Interrupted("a signal"));
  listener.offer();
  await clock.advance(1000);
  assertEquals(entrance.taken.length, 1);
  assertEquals(
    recorder.of("accept failed").map(({ descriptors }) => descriptors),
    [false, false],
  );
  await entrance.close();
});

Deno.test("Acceptor.close() ends a rest at once", async () => {
  const entrance = new Entrance();
  entrance.listener.offer(descriptorsOut());
  await turns();
  await entrance.close();
});

Deno.test("Acceptor keeps acceptsPerSecond, and says once that it waits", async () => {
  const entrance = new Entrance({ acceptsPerSecond: 10 });
  for (let i = 0; i < 100; i++) entrance.listener.offer();
  await turns(20);
  assertEquals(entrance.taken.length, 10);
  await entrance.clock.advance(1000);
  assertEquals(entrance.taken.length, 20);
  await entrance.clock.advance(3000);
  assertEquals(entrance.taken.length, 50);
  assertEquals(entrance.recorder.events, [{
    type: "waiting",
    endpoint: "memory:scripted",
    limit: "acceptsPerSecond",
  }]);
  await entrance.close();
});

Deno.test("Acceptor leaves connections to the kernel while the server is full", async () => {
  const entrance = new Entrance({ maxConnections: 2 }, true);
  for (let i = 0; i < 5; i++) entrance.listener.offer();
  await turns();
  assertEquals([entrance.taken.length, entrance.listener.accepts], [2, 2]);
  assertEquals(entrance.recorder.events, [{
    type: "waiting",
    endpoint: "memory:scripted",
    limit: "maxConnections",
  }]);
  entrance.admission.leave("somewhere");
  await turns();
  assertEquals([entrance.taken.length, entrance.listener.accepts], [3, 3]);
  await entrance.close();
});

Deno.test("Acceptor.close() ends the wait for room", async () => {
  const entrance = new Entrance({ maxConnections: 1 }, true);
  entrance.listener.offer();
  await turns();
  assertEquals(entrance.taken.length, 1);
  await entrance.close();
});

Deno.test("Admission counts connections in all and per source", () => {
  const limits = { maxConnections: 4, maxConnectionsPerSource: 2 };
  const door = admission(limits, new VirtualClock());
  assertEquals(door.enter("a"), undefined);
  assertEquals(door.enter("a"), undefined);
  assertEquals(door.enter("a"), "maxConnectionsPerSource");
  assertEquals(door.enter("b"), undefined);
  door.leave("a");
  assertEquals(door.enter("a"), undefined);
  assertEquals(door.isFull, false);
  assertEquals(door.enter("c"), undefined);
  assertEquals(door.isFull, true);
  assertEquals(door.enter("d"), "maxConnections");
  for (const source of ["a", "a", "b", "c"]) door.leave(source);
  for (const source of ["b", "b", "c", "c"]) {
    assertEquals(door.enter(source), undefined);
  }
});

Deno.test("sourceOf() takes the network of an address, and the endpoint where there is none", () => {
  const at = (hostname: string): string => {
    const remoteAddr = { transport: "tcp", hostname, port: 1 } as const;
    return sourceOf({ remoteAddr }, "tcp://[::]:9");
  };
  assertEquals(at("192.0.2.7"), "192.0.2.7");
  assertEquals(at("::ffff:192.0.2.7"), "192.0.2.7");
  assertEquals(at("2001:db8:0:7::1"), at("2001:db8:0:7:ffff::2"));
  const remoteAddr = { transport: "unix", path: "" } as const;
  assertEquals(sourceOf({ remoteAddr }, "unix:/run/x"), "unix:/run/x");
});
