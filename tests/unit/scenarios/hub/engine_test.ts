import { assertEquals, assertStrictEquals } from "@std/assert";
import {
  type CustomHandler,
  HubEngine,
} from "../../../../scenarios/hub/engine.ts";
import {
  Client,
  type HubPeer,
} from "../../../../scenarios/hub/engine/client.ts";
import type { Audience } from "../../../../scenarios/hub/engine/world.ts";
import type {
  CustomMessage,
  FromHub,
  ToHub,
} from "../../../../scenarios/hub/messages.ts";

/** A client without a connection: what it is sent is kept. */
class FakePeer implements HubPeer {
  readonly address: string;
  readonly state = new Client();
  readonly heard: FromHub[] = [];
  isSlow = false;
  idleMs = 600_000;

  constructor(port: number) {
    this.address = `192.0.2.7:${port}`;
  }

  send(message: FromHub): boolean {
    this.heard.push(structuredClone(message));
    return true;
  }
}

class FakeAudience implements Audience<FakePeer> {
  readonly members = new Set<FakePeer>();

  get size(): number {
    return this.members.size;
  }

  add(peer: FakePeer): void {
    this.members.add(peer);
  }

  delete(peer: FakePeer): void {
    this.members.delete(peer);
  }

  broadcast(message: FromHub, { except }: { except: FakePeer }): number {
    const others = [...this.members].filter((member) => member !== except);
    for (const other of others) other.send(message);
    return others.length;
  }

  [Symbol.iterator](): Iterator<FakePeer> {
    return this.members.values();
  }
}

/** An engine in a world whose time the test sets. */
class World {
  nowMs = Date.parse("2026-01-31T12:00:00.000Z");
  readonly everyone = new FakeAudience();
  readonly rooms: string[] = [];
  readonly engine: HubEngine<FakePeer>;

  constructor(custom?: Record<string, CustomHandler>) {
    this.engine = new HubEngine<FakePeer>({
      everyone: this.everyone,
      createRoom: (name) => {
        this.rooms.push(name);
        return new FakeAudience();
      },
      now: () => this.nowMs,
      figures: () => ({
        total_connections: 1,
        total_messages: 2,
        messages_out: 3,
        bytes_in: 4,
        bytes_out: 5,
      }),
    }, custom);
  }

  /** Takes a client in. */
  peer(name?: string): FakePeer {
    const peer = new FakePeer(1000 + this.everyone.size);
    this.everyone.add(peer);
    if (name !== undefined) this.ask(peer, { type: "identify", name });
    peer.heard.length = 0;
    return peer;
  }

  /** Sees a client off. */
  leave(peer: FakePeer): void {
    this.everyone.delete(peer);
    this.engine.leave(peer);
  }

  /** The answer to a message: the last that the client hears. */
  ask(peer: FakePeer, message: ToHub): FromHub | undefined {
    peer.heard.length = 0;
    this.engine.handle(peer, message);
    return peer.heard.at(-1);
  }

  /** The code of the error that answers a message. */
  refusal(peer: FakePeer, message: ToHub): unknown {
    const answer = this.ask(peer, message) as CustomMessage;
    return answer["code"];
  }
}

Deno.test("HubEngine takes times from its world, in milliseconds", () => {
  const world = new World();
  const peer = world.peer();
  world.nowMs += 1;
  assertEquals(world.ask(peer, { type: "ping", timestamp: 7 }), {
    type: "pong",
    ping_timestamp: 7,
    pong_timestamp: "2026-01-31T12:00:00.001Z",
    client_id: peer.address,
  });
  world.nowMs += 1500;
  const stats = world.ask(peer, { type: "get_stats" }) as CustomMessage;
  assertEquals(stats["uptime_seconds"], 1.501);
  assertEquals(stats["current_time"], "2026-01-31T12:00:01.501Z");
  assertEquals(stats["server_start_time"], "2026-01-31T12:00:00.000Z");
});

Deno.test("HubEngine cuts a client off sooner that says how long it may be silent", () => {
  const world = new World();
  const peer = world.peer();
  const idleMs = (ttl_ms: unknown): number => {
    world.ask(peer, { type: "ping", ttl_ms } as ToHub);
    return peer.idleMs;
  };
  for (const ttl of [undefined, null, "5000", NaN, -1, 0, 999, 700_000]) {
    assertEquals(idleMs(ttl), 600_000, `${ttl}`);
  }
  assertEquals(idleMs(60_000), 60_000);
  assertEquals(idleMs(600_000), 60_000, "it is not lengthened again");
  assertEquals(idleMs(1000), 1000);
});

Deno.test("HubEngine keeps its uptime above 0 when the clock is set back", () => {
  const world = new World();
  world.nowMs -= 60_000;
  const stats = world.ask(world.peer(), { type: "get_stats" });
  assertEquals((stats as CustomMessage)["uptime_seconds"], 0);
});

Deno.test("HubEngine shows the figures of its world", () => {
  const world = new World();
  const stats = world.ask(world.peer("ann"), { type: "get_stats" });
  assertEquals(stats, {
    type: "server_stats",
    connected_clients: 1,
    uptime_seconds: 0,
    server_start_time: "2026-01-31T12:00:00.000Z",
    current_time: "2026-01-31T12:00:00.000Z",
    named_clients: 1,
    rooms: 0,
    total_connections: 1,
    total_messages: 2,
    messages_out: 3,
    bytes_in: 4,
    bytes_out: 5,
  });
});

Deno.test("HubEngine keeps one holder of a name through changes", () => {
  const world = new World();
  const [ann, bob] = [world.peer("Ann"), world.peer("Bob")];
  assertEquals(
    world.refusal(bob, { type: "identify", name: "ANN" }),
    "name_taken",
  );
  assertEquals(bob.state.name, "Bob");
  world.ask(ann, { type: "identify", name: "Anna" });
  world.ask(bob, { type: "identify", name: "Ann" });
  assertEquals([ann.state.name, bob.state.name], ["Anna", "Ann"]);
  world.ask(ann, { type: "direct", to: "ann", content: 1 });
  assertEquals(bob.heard.length, 2);
  assertEquals(
    world.refusal(ann, { type: "direct", to: "Bob", content: 1 }),
    "no_such_client",
  );
});

Deno.test("HubEngine frees the name of one that leaves, and only that", () => {
  const world = new World();
  const [ann, eve] = [world.peer("ann"), world.peer()];
  world.leave(ann);
  assertEquals(
    world.ask(eve, { type: "identify", name: "ann" })?.type,
    "identified",
  );
  const other = world.peer();
  world.leave(other);
  assertEquals(
    world.ask(eve, { type: "direct", to: "ann", content: 1 })?.type,
    "direct_sent",
  );
});

Deno.test("HubEngine finds a client by an id that it has told, until it leaves", () => {
  const world = new World();
  const [ann, bob] = [world.peer(), world.peer("bob")];
  world.ask(bob, { type: "list" });
  const direct: ToHub = { type: "direct", to: ann.address, content: 1 };
  assertEquals(world.ask(bob, direct)?.type, "direct_sent");
  world.leave(ann);
  assertEquals(world.refusal(bob, direct), "no_such_client");
});

Deno.test("HubEngine does not queue direct messages for the slow", () => {
  const world = new World();
  const [ann, bob] = [world.peer("ann"), world.peer("bob")];
  bob.isSlow = true;
  assertEquals(
    world.refusal(ann, { type: "direct", to: "bob", content: 1 }),
    "recipient_slow",
  );
  assertEquals(bob.heard, []);
});

Deno.test("HubEngine lists a thousand clients at most, and says how many there are", () => {
  const world = new World();
  for (let n = 0; n < 1500; n++) world.peer();
  const list = world.ask(world.peer(), { type: "list" }) as CustomMessage;
  assertEquals((list["clients"] as unknown[]).length, 1000);
  assertEquals(list["total"], 1501);
});

Deno.test("HubEngine makes a room for the first who joins and forgets it with the last", () => {
  const world = new World();
  const [ann, bob] = [world.peer("ann"), world.peer("bob")];
  world.ask(ann, { type: "join", room: "Harbour" });
  world.ask(bob, { type: "join", room: "HARBOUR" });
  assertEquals(world.rooms, ["Harbour"]);
  const said = world.ask(ann, {
    type: "room_message",
    room: "harbour",
    content: 1,
  });
  assertEquals((said as CustomMessage)["recipients"], 1);
  world.leave(ann);
  world.ask(bob, { type: "leave", room: "harbour" });
  world.ask(bob, { type: "join", room: "harbour" });
  assertEquals(world.rooms, ["Harbour", "harbour"]);
});

Deno.test("HubEngine says no message in a room to those outside of it", () => {
  const world = new World();
  const [ann, bob, eve] = [world.peer(), world.peer(), world.peer()];
  for (const peer of [ann, bob]) world.ask(peer, { type: "join", room: "a" });
  bob.heard.length = 0;
  const message: ToHub = { type: "room_message", room: "a", content: "x" };
  assertEquals(world.refusal(eve, message), "not_in_room");
  assertEquals(bob.heard, []);
  world.ask(ann, message);
  assertEquals([bob.heard.length, eve.heard.length], [1, 1]);
});

Deno.test("HubEngine counts malformed frames in a row, and names their codes", () => {
  const world = new World();
  const peer = world.peer();
  const verdicts = Array.from(
    { length: 10 },
    () => world.engine.malformed(peer, "malformed", "Cannot decode JSON"),
  );
  assertEquals(verdicts.lastIndexOf(false), 8);
  assertEquals(verdicts.at(-1), true);
  world.ask(peer, { type: "ping" });
  assertEquals(world.engine.malformed(peer, "too_complex", "x"), false);
  assertEquals(world.engine.malformed(peer, "no code of ours", "x"), false);
  const codes = peer.heard.map((message) => (message as CustomMessage)["code"]);
  assertEquals(codes.slice(-2), ["too_complex", "malformed"]);
});

Deno.test("HubEngine is synchronous but for registered handlers", async () => {
  const world = new World({ slow: () => Promise.resolve({ type: "done" }) });
  const peer = world.peer();
  assertStrictEquals(
    world.engine.handle(peer, { type: "echo", content: 1 }),
    undefined,
  );
  await world.engine.handle(peer, { type: "slow" });
  assertEquals(peer.heard.at(-1), { type: "done" });
});

Deno.test("HubEngine hands a registered handler the message and its sender", async () => {
  const seen: unknown[] = [];
  const world = new World({
    note: (message, from) => void seen.push(message, from),
  });
  const peer = world.peer();
  const message = { type: "note", text: "ahoy" };
  await world.engine.handle(peer, message);
  assertEquals(seen.length, 2);
  assertStrictEquals(seen[0], message);
  assertStrictEquals(seen[1], peer);
  assertEquals(peer.heard, []);
});

Deno.test("HubEngine answers for a handler that fails, whatever it throws", async () => {
  const world = new World({
    fails: () => {
      throw new Error("no ink");
    },
    rejects: () => Promise.reject("no paper"),
  });
  const peer = world.peer();
  await world.engine.handle(peer, { type: "fails" });
  await world.engine.handle(peer, { type: "rejects" });
  assertEquals(peer.heard, [
    { type: "error", code: "handler_failed", message: "fails: no ink" },
    { type: "error", code: "handler_failed", message: "rejects: no paper" },
  ]);
});

Deno.test("HubEngine lets no registered handler replace a message of the hub", () => {
  const world = new World({ ping: () => ({ type: "mine" }) });
  assertEquals(world.ask(world.peer(), { type: "ping" })?.type, "pong");
});

Deno.test("HubEngine takes no type from a prototype", () => {
  const world = new World({});
  const peer = world.peer();
  for (const type of ["constructor", "toString", "__proto__"]) {
    assertEquals(world.refusal(peer, { type }), "unknown_type");
  }
});
