import { assert, assertEquals } from "@std/assert";
import type { Peer } from "../../src/io/peer.ts";
import {
  Group,
  type GroupOptions,
  type SlowMemberPolicy,
} from "../../src/server/group.ts";
import { checkAsyncProperty, fc } from "../support/property.ts";
import { RawClient } from "../support/raw_client.ts";
import { VirtualServer } from "../support/virtual_server.ts";
import { turns } from "../support/wait.ts";

/** How many play with the group. */
const PLAYERS = 3;

type Step =
  | { do: "broadcast"; except: number | undefined }
  | { do: "direct"; to: number }
  | { do: "add"; who: number }
  | { do: "delete"; who: number }
  | { do: "turn"; count: number };

const player = fc.nat(PLAYERS - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("broadcast" as const),
      except: fc.option(player, { nil: undefined }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("direct" as const), to: player }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("add" as const), who: player }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("delete" as const), who: player }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("turn" as const),
      count: fc.integer({ min: 1, max: 3 }),
    }),
  },
);

/** A group, those who play with it, and others who are only there. */
class Game implements AsyncDisposable {
  readonly peers: Peer<string, string>[] = [];
  readonly clients: RawClient[] = [];
  readonly group: Group<string>;
  readonly virtual: VirtualServer;

  private constructor(virtual: VirtualServer, group: Group<string>) {
    this.virtual = virtual;
    this.group = group;
  }

  static async start(
    options: GroupOptions<string>,
    limits: { slowBytes?: number } = {},
  ): Promise<Game> {
    const joining: Peer<string, string>[] = [];
    const virtual = await VirtualServer.start({
      open: (peer) => void joining.push(peer),
      message() {},
    }, { limits });
    const game = new Game(virtual, new Group<string>(options));
    for (let i = 0; i < PLAYERS; i++) game.clients.push(await virtual.dial());
    game.peers.push(...joining);
    return game;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.virtual[Symbol.asyncDispose]();
  }
}

async function readUntil(client: RawClient, last: string): Promise<string[]> {
  const messages: string[] = [];
  for (;;) {
    const message = new TextDecoder().decode(await client.receiveFrame());
    if (message === last) return messages;
    messages.push(message);
  }
}

/** Plays the steps, and what a dumb model makes of them. */
async function play(
  { group, peers }: Game,
  steps: readonly Step[],
  others: number,
): Promise<{ expected: string[][]; broadcasts: number[] }> {
  const members = new Set<number>();
  const expected: string[][] = peers.map(() => []);
  const broadcasts = peers.map(() => 0);
  for (const [at, step] of steps.entries()) {
    switch (step.do) {
      case "broadcast": {
        const to = [...members].filter((index) => index !== step.except);
        const except = step.except === undefined
          ? {}
          : { except: peers[step.except]! };
        const count = group.broadcast(`b${at}`, except);
        assertEquals(count, to.length + others, `recipients of step ${at}`);
        for (const index of to) {
          expected[index]!.push(`b${at}`);
          broadcasts[index]!++;
        }
        break;
      }
      case "direct":
        peers[step.to]!.send(`d${at}`);
        expected[step.to]!.push(`d${at}`);
        break;
      case "add":
        group.add(peers[step.who]!);
        members.add(step.who);
        break;
      case "delete":
        group.delete(peers[step.who]!);
        members.delete(step.who);
        break;
      case "turn":
        await turns(step.count);
    }
  }
  return { expected, broadcasts };
}

Deno.test("a group agrees with a list of messages for each member", async () => {
  await checkAsyncProperty(
    fc.array(step, { maxLength: 60 }),
    async (steps) => {
      await using game = await Game.start({});
      const { expected } = await play(game, steps, 0);
      for (const [index, peer] of game.peers.entries()) {
        peer.send("end");
        const got = await readUntil(game.clients[index]!, "end");
        assertEquals(got, expected[index]);
      }
    },
    150,
  );
});

Deno.test("a group so large that it is served in slices agrees as well", async () => {
  const crowd = 1100;
  await checkAsyncProperty(
    fc.array(step, { maxLength: 60 }),
    async (steps) => {
      await using game = await Game.start({});
      const { server } = game.virtual;
      for (let i = 0; i < crowd; i++) await RawClient.connect(server.endpoint);
      await turns();
      const players = new Set(game.peers);
      for (const peer of server.peers) {
        if (!players.has(peer)) game.group.add(peer);
      }
      const { expected } = await play(game, steps, crowd);
      for (const [index, peer] of game.peers.entries()) {
        peer.send("end");
        const got = await readUntil(game.clients[index]!, "end");
        assertEquals(got, expected[index]);
      }
    },
    10,
  );
});

Deno.test("a group accounts for every message to a slow member", async () => {
  const policies: SlowMemberPolicy[] = [
    "wait",
    "drop oldest",
    "drop newest",
  ];
  await checkAsyncProperty(
    fc.record({
      slow: fc.constantFrom(...policies),
      maxWaitingBytes: fc.integer({ min: 10, max: 400 }),
      slowBytes: fc.integer({ min: 1, max: 200 }),
      steps: fc.array(step, { maxLength: 80 }),
    }),
    async ({ slow, maxWaitingBytes, slowBytes, steps }) => {
      await using game = await Game.start({
        slow,
        maxWaitingBytes: slow === "wait" ? 1 << 20 : maxWaitingBytes,
        gap: (missed) => `g${missed}`,
      }, { slowBytes });
      const { group, peers, clients } = game;
      // Nobody reads, and the pipes are full.
      for (const peer of peers) peer.send("x".repeat(65_532));
      await turns();
      // Only those who stay members are told of their gaps.
      const staying = steps.filter((step) => step.do !== "delete");
      for (const peer of peers) group.add(peer);
      const { broadcasts, expected } = await playSlowly(game, staying);
      const draining = group.drained().then(() => {
        for (const peer of peers) peer.send("end");
      });
      await Promise.all(clients.map(async (client, index) => {
        await client.receiveFrame();
        const got = await readUntil(client, "end");
        const of = (kind: string): string[] =>
          got.filter((message) => message.startsWith(kind));
        const missed = of("g").reduce((sum, g) => sum + Number(g.slice(1)), 0);
        assertEquals(of("b").length + missed, broadcasts[index]);
        assertEquals(of("d"), expected[index]!.filter((m) => m[0] === "d"));
        assert(isWithin(of("b"), expected[index]!), `${got} of ${expected}`);
        if (slow === "wait") assertEquals(missed, 0);
      }));
      await draining;
    },
    100,
  );
});

/** Like `play`, for members who may be told less: everybody is one from the start. */
async function playSlowly(
  game: Game,
  steps: readonly Step[],
): Promise<{ expected: string[][]; broadcasts: number[] }> {
  const expected: string[][] = game.peers.map(() => []);
  const broadcasts = game.peers.map(() => 0);
  for (const [at, step] of steps.entries()) {
    if (step.do === "broadcast") {
      const except = step.except === undefined
        ? {}
        : { except: game.peers[step.except]! };
      game.group.broadcast(`b${at}`, except);
      for (const [index, messages] of expected.entries()) {
        if (index === step.except) continue;
        messages.push(`b${at}`);
        broadcasts[index]!++;
      }
    } else if (step.do === "direct") {
      game.peers[step.to]!.send(`d${at}`);
      expected[step.to]!.push(`d${at}`);
    } else if (step.do === "turn") {
      await turns(step.count);
    }
  }
  return { expected, broadcasts };
}

/** Whether `part` is what is left of `whole` when some are taken out. */
function isWithin(part: readonly string[], whole: readonly string[]): boolean {
  let at = 0;
  for (const message of whole) if (message === part[at]) at++;
  return at === part.length;
}
