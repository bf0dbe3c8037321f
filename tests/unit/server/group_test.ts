import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Handler } from "../../../src/io/handler.ts";
import type { Peer } from "../../../src/io/peer.ts";
import { LocalProtocolError } from "../../../src/proto/errors.ts";
import { connect } from "../../../src/client/connect.ts";
import { Group, type GroupOptions } from "../../../src/server/group.ts";
import { frame, RawClient } from "../../support/raw_client.ts";
import { TEXT_WIRE, VirtualServer } from "../../support/virtual_server.ts";
import { turns } from "../../support/wait.ts";

type TextPeer = Peer<string, string>;

/** What the pipe to a peer that reads nothing holds. */
const PIPE_BYTES = 65_536;

/** A server whose peers are all members of one group. */
async function withGroup(
  options: GroupOptions<string>,
  count: number,
  limits: { slowBytes?: number; maxBufferedBytes?: number } = {},
): Promise<Audience> {
  const group = new Group<string>({ name: "all", ...options });
  const peers: TextPeer[] = [];
  const handler: Handler<string, string> = {
    open(peer) {
      peers.push(peer);
      group.add(peer);
    },
    message: (peer, message) => void peer.send(`heard ${message}`),
  };
  const virtual = await VirtualServer.start(handler, {
    limits: { slowBytes: 1000, ...limits },
  });
  const clients: RawClient[] = [];
  for (let i = 0; i < count; i++) clients.push(await virtual.dial());
  return new Audience(virtual, group, peers, clients);
}

class Audience implements AsyncDisposable {
  constructor(
    readonly virtual: VirtualServer,
    readonly group: Group<string>,
    readonly peers: readonly TextPeer[],
    readonly clients: readonly RawClient[],
  ) {}

  async [Symbol.asyncDispose](): Promise<void> {
    await this.virtual[Symbol.asyncDispose]();
  }

  /** The warnings that are not about being slow, which the tests bring about by hand. */
  get warnings(): string[] {
    return this.virtual.warnings.filter((text) => !text.startsWith("slow"));
  }

  /** Sends directly to a peer until its pipe and its buffer are full; what is broadcast from now on waits. */
  async congest(index: number): Promise<void> {
    const peer = this.peers[index]!;
    peer.send("x".repeat(PIPE_BYTES - 4));
    await turns();
    assertEquals(peer.bufferedBytes, 0);
    peer.send("x".repeat(1000));
    assert(peer.isSlow);
    await turns();
  }

  /** Reads what `congest` sent, and then messages until one is `last`. */
  async read(index: number, last: string): Promise<string[]> {
    const client = this.clients[index]!;
    await client.receiveFrame();
    await client.receiveFrame();
    return await readUntil(client, last);
  }
}

async function readUntil(client: RawClient, last: string): Promise<string[]> {
  const messages: string[] = [];
  while (messages.at(-1) !== last) {
    messages.push(new TextDecoder().decode(await client.receiveFrame()));
  }
  return messages;
}

/** Numbered messages of 100 bytes on the wire. */
function numbered(from: number, to: number): string[] {
  return Array.from(
    { length: to - from },
    (_, at) => `${from + at}`.padStart(96, "."),
  );
}

const gap = (missed: number): string => `missed ${missed}`;

Deno.test("Group.broadcast() reaches every member, and not the one excepted", async () => {
  await using audience = await withGroup({}, 3);
  const { group, peers, clients } = audience;
  assertEquals(group.broadcast("to all"), 3);
  assertEquals(group.broadcast("not to 1", { except: peers[1]! }), 2);
  assertEquals(group.broadcast("not to 0", { except: peers[0]! }), 2);
  group.delete(peers[2]!);
  assertEquals(group.broadcast("to both", { except: peers[2]! }), 2);
  for (const peer of peers) peer.send("end");
  assertEquals(await readUntil(clients[0]!, "end"), [
    "to all",
    "not to 1",
    "to both",
    "end",
  ]);
  assertEquals(await readUntil(clients[1]!, "end"), [
    "to all",
    "not to 0",
    "to both",
    "end",
  ]);
  assertEquals(await readUntil(clients[2]!, "end"), [
    "to all",
    "not to 1",
    "not to 0",
    "end",
  ]);
});

Deno.test("Group.broadcast() counts nobody when there is nobody", async () => {
  await using audience = await withGroup({}, 1);
  const { group, peers } = audience;
  assertEquals(group.broadcast("x", { except: peers[0]! }), 0);
  group.delete(peers[0]!);
  assertEquals(group.broadcast("x"), 0);
  assertEquals(group.size, 0);
  await turns();
  assertEquals(audience.virtual.server.counters.messagesOut, 0);
});

Deno.test("Group.broadcast() keeps its place among direct messages", async () => {
  await using audience = await withGroup({}, 1);
  const { group, peers: [peer], clients: [client] } = audience;
  group.broadcast("1");
  peer!.send("2");
  group.broadcast("3");
  group.broadcast("4");
  peer!.send("5");
  await turns();
  peer!.send("6");
  group.broadcast("7");
  await turns();
  assertEquals(await readUntil(client!, "7"), [..."1234567"]);
});

Deno.test("Group.broadcast() reaches whoever is a member at that moment", async () => {
  await using audience = await withGroup({}, 2);
  const { group, peers: [first, second], clients } = audience;
  group.delete(second!);
  group.broadcast("before");
  group.add(second!);
  group.add(second!);
  group.broadcast("after");
  group.delete(first!);
  group.delete(first!);
  group.broadcast("last");
  first!.send("end");
  second!.send("end");
  assertEquals(await readUntil(clients[0]!, "end"), ["before", "after", "end"]);
  assertEquals(await readUntil(clients[1]!, "end"), ["after", "last", "end"]);
  assertEquals([group.has(first!), group.has(second!)], [false, true]);
  assertEquals([...group].map((peer) => peer.id), [second!.id]);
});

Deno.test("Group.broadcast() puts all of one turn into one write", async () => {
  await using audience = await withGroup({}, 1);
  for (const letter of "abc") audience.group.broadcast(letter);
  const into = new Uint8Array(100);
  const count = await audience.clients[0]!.conn.read(into);
  assertEquals(
    into.subarray(0, count!),
    Uint8Array.from([..."abc"].flatMap((letter) => [...frame(letter)])),
  );
});

Deno.test("Group.broadcast() throws for what the wire cannot carry, and nobody gets it", async () => {
  await using audience = await withGroup({}, 1);
  const { group, clients: [client] } = audience;
  group.broadcast("before");
  assertThrows(
    () => group.broadcast("x".repeat(100_000)),
    LocalProtocolError,
  );
  group.broadcast("after");
  assertEquals(await readUntil(client!, "after"), ["before", "after"]);
});

Deno.test("Group loses a member whose connection ends", async () => {
  await using audience = await withGroup({}, 3);
  const { group, peers, clients } = audience;
  clients[0]!.conn.close();
  await turns();
  void peers[1]!.close();
  assertEquals(group.size, 1);
  assertEquals(group.broadcast("x"), 1);
  group.add(peers[0]!);
  group.add(peers[1]!);
  assertEquals(group.size, 1);
});

Deno.test("Group still delivers what was broadcast before a member is closed", async () => {
  await using audience = await withGroup({}, 2);
  const { group, peers, clients } = audience;
  group.broadcast("goodbye");
  void peers[0]!.close();
  group.broadcast("not any more");
  const bytes = await clients[0]!.receiveAll();
  assertEquals(bytes, frame("goodbye"));
});

Deno.test("Group.add() refuses what is no connection of a server", async () => {
  await using audience = await withGroup({}, 0);
  await using client = await connect({
    to: audience.virtual.server.endpoint,
    wire: TEXT_WIRE,
  });
  assertThrows(
    () => audience.group.add(client),
    TypeError,
    'to group "all": it is no connection of a server',
  );
});

Deno.test("Group refuses to coalesce without a key", () => {
  assertThrows(
    () => new Group<string>({ slow: "coalesce" }),
    TypeError,
    "the policy 'coalesce' needs a function: current value of 'key' is undefined",
  );
});

Deno.test("Group that waits drops nothing, and tells when all have caught up", async () => {
  await using audience = await withGroup({ slow: "wait", gap }, 2);
  const { group, clients } = audience;
  await audience.congest(0);
  const messages = numbered(0, 500);
  for (const message of messages) {
    assertEquals(group.broadcast(message), 2);
    await turns(1);
  }
  assert(group.isSlow);
  let drained = false;
  const draining = group.drained().then(() => drained = true);
  assertEquals(await readUntil(clients[1]!, messages.at(-1)!), messages);
  assertEquals(drained, false);
  assertEquals(await audience.read(0, messages.at(-1)!), messages);
  await draining;
  assertEquals(group.isSlow, false);
  assertEquals(audience.warnings, []);
});

Deno.test("Group makes a member slow once, however long it catches up", async () => {
  await using audience = await withGroup({}, 1, { slowBytes: 10_000 });
  const { group, virtual, clients: [client] } = audience;
  // One write after the other, so that the pipe fills up without a lag.
  for (let sent = 0; sent < PIPE_BYTES; sent += 8192) {
    audience.peers[0]!.send("x".repeat(8188));
    await turns();
  }
  const messages = numbered(0, 1000);
  for (const message of messages) group.broadcast(message);
  await turns();
  assertEquals(virtual.warnings, ["slow true"]);
  await readUntil(client!, messages.at(-1)!);
  assertEquals(virtual.warnings, ["slow true", "slow false"]);
});

Deno.test("Group that waits cuts off a member at maxWaitingBytes, once", async () => {
  await using audience = await withGroup(
    { slow: "wait", maxWaitingBytes: 1000 },
    2,
  );
  const { group, clients } = audience;
  await audience.congest(0);
  for (const message of numbered(0, 30)) group.broadcast(message);
  const draining = group.drained();
  await turns();
  assertEquals(group.size, 1);
  assertEquals(audience.warnings, [
    "limit maxWaitingBytes: 1000 bytes wait for a slow member, 1000 allowed",
  ]);
  assertEquals(audience.virtual.endings.length, 1);
  await draining;
  assertEquals(
    await readUntil(clients[1]!, numbered(29, 30)[0]!),
    numbered(0, 30),
  );
});

Deno.test("Group that closes cuts off a slow member, once, and not a fast one", async () => {
  await using audience = await withGroup(
    { slow: "close", maxWaitingBytes: 1000 },
    2,
  );
  const { group, clients } = audience;
  await audience.congest(0);
  for (const message of numbered(0, 30)) {
    group.broadcast(message);
    await turns(1);
  }
  assertEquals(audience.warnings, [
    "limit maxWaitingBytes: 1000 bytes wait for a slow member, 1000 allowed",
  ]);
  assertEquals(audience.virtual.endings, [
    "limit: 1000 bytes wait for a slow member, 1000 allowed",
  ]);
  assertEquals(
    await readUntil(clients[1]!, numbered(29, 30)[0]!),
    numbered(0, 30),
  );
});

Deno.test("Group that drops the oldest tells the gap where it is, and how large", async () => {
  await using audience = await withGroup(
    { slow: "drop oldest", maxWaitingBytes: 1000, gap },
    2,
  );
  const { group, clients, virtual } = audience;
  await audience.congest(0);
  for (const message of numbered(0, 30)) {
    assertEquals(group.broadcast(message), 2);
  }
  await turns();
  for (const message of numbered(30, 50)) {
    group.broadcast(message);
    await turns(1);
  }
  const last = numbered(49, 50)[0]!;
  assertEquals(await audience.read(0, last), [
    "missed 40",
    ...numbered(40, 50),
  ]);
  assertEquals(await readUntil(clients[1]!, last), numbered(0, 50));
  assertEquals(audience.warnings, ["gap 40"]);
  assertEquals(virtual.server.counters.skipped, 40);
  assertEquals(virtual.recorder.of("gap")[0]?.group, "all");
});

Deno.test("Group that drops the newest keeps the oldest, and tells how many are missing", async () => {
  await using audience = await withGroup(
    { slow: "drop newest", maxWaitingBytes: 1000, gap },
    2,
  );
  const { group, clients, peers, virtual } = audience;
  await audience.congest(0);
  const counts: number[] = [];
  for (const message of numbered(0, 30)) {
    counts.push(group.broadcast(message));
    await turns(1);
  }
  assertEquals(counts, [...Array(10).fill(2), ...Array(20).fill(1)]);
  assertEquals(group.broadcast("x", { except: peers[0]! }), 1);
  assertEquals(group.broadcast("y", { except: peers[1]! }), 0);
  await turns();
  const expected = [...numbered(0, 10), "missed 21"];
  assertEquals(await audience.read(0, "missed 21"), expected);
  group.broadcast("again");
  assertEquals(await readUntil(clients[0]!, "again"), ["again"]);
  assertEquals(await readUntil(clients[1]!, "again"), [
    ...numbered(0, 30),
    "x",
    "again",
  ]);
  assertEquals(virtual.server.counters.skipped, 21);
});

Deno.test("Group that coalesces keeps the last of each key, and what has none", async () => {
  await using audience = await withGroup({
    slow: "coalesce",
    key: (message) => message.includes("=") ? message.split("=")[0] : undefined,
    gap,
  }, 2);
  const { group, clients, virtual } = audience;
  await audience.congest(0);
  const told = ["a=1", "b=1", "plain", "a=2", "plain", "a=3", "c=1", "b=2"];
  for (const message of told) {
    group.broadcast(message);
    await turns(1);
  }
  const expected = ["plain", "plain", "a=3", "c=1", "b=2"];
  assertEquals(await audience.read(0, "b=2"), expected);
  assertEquals(await readUntil(clients[1]!, "b=2"), told);
  assertEquals(virtual.server.counters.skipped, 0);
});

Deno.test("Group that coalesces drops the oldest beyond maxWaitingBytes", async () => {
  await using audience = await withGroup({
    slow: "coalesce",
    key: (message) => message.trim()[0],
    maxWaitingBytes: 300,
    gap,
  }, 1);
  const { group } = audience;
  await audience.congest(0);
  const pad = (message: string): string => message.padStart(96);
  for (const message of ["a1", "b1", "a2", "c1", "b2", "d1", "a3", "b3"]) {
    group.broadcast(pad(message));
    await turns(1);
  }
  // c1 had to go for a3, which replaced nothing any more: a2 went for d1.
  assertEquals(await audience.read(0, pad("b3")), [
    "missed 2",
    ...["d1", "a3", "b3"].map(pad),
  ]);
});

Deno.test("Group does not tell of a gap unless it is told how", async () => {
  await using audience = await withGroup({ maxWaitingBytes: 1000 }, 1);
  await audience.congest(0);
  for (const message of numbered(0, 30)) audience.group.broadcast(message);
  const last = numbered(29, 30)[0]!;
  assertEquals(await audience.read(0, last), numbered(20, 30));
  assertEquals(audience.virtual.server.counters.skipped, 20);
});

Deno.test("Group counts what a member missed that never catches up", async () => {
  await using audience = await withGroup({ maxWaitingBytes: 1000, gap }, 1);
  await audience.congest(0);
  for (const message of numbered(0, 30)) audience.group.broadcast(message);
  await turns();
  audience.clients[0]!.conn.close();
  await turns();
  assertEquals(audience.virtual.server.counters.skipped, 20);
});

Deno.test("Group tells of the gap before what comes after it", async () => {
  await using audience = await withGroup(
    { slow: "drop newest", maxWaitingBytes: 1000, gap },
    1,
  );
  const { group, virtual } = audience;
  await audience.congest(0);
  for (const message of numbered(0, 15)) group.broadcast(message);
  await turns();
  // Broadcast in the very turn in which the member catches up.
  virtual.recorder.onEvent = (event) => {
    if (event.type === "gap") group.broadcast("after");
  };
  assertEquals(await audience.read(0, "after"), [
    ...numbered(0, 10),
    "missed 5",
    "after",
  ]);
});

Deno.test("Group holds its policy also for more than all buffers in one turn", async () => {
  await using audience = await withGroup(
    { slow: "drop oldest", maxWaitingBytes: 1000, gap },
    1,
    { maxBufferedBytes: 10_000 },
  );
  const { group, clients, virtual } = audience;
  const messages = numbered(0, 2000);
  for (const message of messages) group.broadcast(message);
  const seen = await readUntil(clients[0]!, messages.at(-1)!);
  assertEquals(virtual.endings, []);
  const notices = seen.filter((message) => message.startsWith("missed"));
  const missed = notices.reduce((sum, text) => sum + Number(text.slice(7)), 0);
  assertEquals(seen.length - notices.length + missed, messages.length);
  assertEquals(virtual.server.counters.skipped, missed);
});

Deno.test("a member that lags for ever is still heard", async () => {
  await using audience = await withGroup({ maxWaitingBytes: 10_000 }, 1);
  const { group, clients: [client], virtual } = audience;
  let broadcasting = true;
  const flood = (async () => {
    while (broadcasting) {
      for (const message of numbered(0, 100)) group.broadcast(message);
      await turns(1);
    }
  })();
  await turns(50);
  assert(group.isSlow);
  await client!.send(frame("me"));
  const { counters } = virtual.server;
  let frames = 0;
  for (; counters.messagesIn === 0 && frames < 2000; frames++) {
    await client!.receiveFrame();
    await turns(1);
    assert(group.isSlow, "it has caught up");
  }
  broadcasting = false;
  await flood;
  assert(frames < 2000, "it is not heard");
  await readUntil(client!, "heard me");
});

Deno.test("a member of two groups gets what each of them tells, in order", async () => {
  await using audience = await withGroup({}, 1);
  const { group, peers: [peer], clients: [client] } = audience;
  const other = new Group<string>();
  other.add(peer!);
  group.broadcast("a1");
  other.broadcast("b1");
  group.broadcast("a2");
  other.broadcast("b2");
  peer!.send("end");
  const seen = await readUntil(client!, "end");
  assertEquals(seen.filter((message) => message[0] === "a"), ["a1", "a2"]);
  assertEquals(seen.filter((message) => message[0] === "b"), ["b1", "b2"]);
  assertEquals(seen.length, 5);
});

Deno.test("a broadcast to very many members leaves turns to others", async () => {
  const group = new Group<string>();
  await using virtual = await VirtualServer.start({
    open: (peer) => group.add(peer),
    message: (peer, message) => peer.send(message),
  });
  const count = 5000;
  for (let i = 0; i < count; i++) {
    await RawClient.connect(virtual.server.endpoint);
  }
  using client = await virtual.dial();
  await turns();
  group.delete([...virtual.server.peers].at(-1)!);
  assertEquals(group.broadcast("news"), count);
  await client.send(frame("ping"));
  // The answer comes while most of the members still wait for their turn.
  assertEquals(await client.receiveFrame(), new TextEncoder().encode("ping"));
  const { messagesOut } = virtual.server.counters;
  assert(messagesOut < count / 2, `${messagesOut} were served before`);
  await turns(10);
  assertEquals(virtual.server.counters.messagesOut, count + 1);
});
