import { assert, assertEquals } from "@std/assert";
import type { Client } from "../../src/client/client.ts";
import { connect } from "../../src/client/connect.ts";
import { inOrder } from "../../src/client/correlation.ts";
import { createPool } from "../../src/client/pool.ts";
import { text } from "../../src/proto/codec/text.ts";
import { lines } from "../../src/proto/framing/delimited.ts";
import { serve } from "../../src/server/serve.ts";
import { badLink, drawInt, simulationTest } from "../support/seeds.ts";

const WIRE = lines(text());

simulationTest(
  "a pool lends each connection once, keeps its limits and recovers, whatever happens to the server",
  async (network) => {
    const { clock, random } = network;
    const host = network.host("server");
    const start = () =>
      serve({
        ...host,
        listen: "tcp://0.0.0.0:9999",
        wire: WIRE,
        handler: { message: (peer, line) => peer.send(line.toUpperCase()) },
      });
    await start();
    badLink(network, "client", "server");
    const max = drawInt(network, 1, 5);
    const made = new Set<Client<string>>();
    const pool = createPool<Client<string>>({
      ...network.host("client"),
      create: async (signal) => {
        const client = await connect({
          ...network.host("client"),
          to: "tcp://server:9999",
          wire: WIRE,
          correlate: inOrder(),
          signal,
          limits: { lingerMs: 500 },
        });
        made.add(client);
        return client;
      },
      destroy: (client) => {
        assert(made.delete(client), "destroyed twice");
        return client.close();
      },
      isAlive: (client) => client.ending === undefined,
      check: async (client) =>
        await client.request("ping", { timeoutMs: 1000 }) === "PING",
      min: drawInt(network, 0, max),
      max,
      waitMs: 3000,
      createMs: 2000,
      idleMs: 10_000,
    });
    const inUse = new Set<Client<string>>();
    const borrow = async (name: string): Promise<boolean> => {
      try {
        using lease = await pool.take();
        const { resource } = lease;
        assert(!inUse.has(resource), "lent twice");
        inUse.add(resource);
        assert(inUse.size <= max, `${inUse.size} are lent`);
        try {
          const answer = await resource.request(name, { timeoutMs: 1500 });
          assertEquals(answer, name.toUpperCase(), "somebody else's answer");
          return true;
        } catch (error) {
          // The connection may hold a late answer: it is not lent again.
          lease.discard();
          throw error;
        } finally {
          inUse.delete(resource);
        }
      } catch (error) {
        if (error instanceof Error && error.name === "AssertionError") {
          throw error;
        }
        return false;
      }
    };
    let over = false;
    const torment = async () => {
      while (!over) {
        await clock.sleep(random() * 4000);
        const forMs = random() * 4000;
        if (random() < 0.3) {
          host.kill();
          await clock.sleep(forMs);
          await start();
        } else if (random() < 0.5) {
          network.partition("client", "server");
          await clock.sleep(forMs);
          network.heal();
        } else network.reset("client", "server");
      }
    };
    const tormenting = torment();
    const borrowing: Promise<boolean>[] = [];
    for (let number = 0; number < 40; number++) {
      const borrowed = borrow(`borrower ${number}`);
      borrowed.catch(() => {});
      borrowing.push(borrowed);
      await clock.sleep(random() * 400);
    }
    await Promise.all(borrowing);
    over = true;
    await tormenting;
    network.link("client", "server", {});
    await clock.sleep(20_000);
    assert(await borrow("last"), "who comes after the troubles is served");
    assertEquals(pool.lent, 0);
    assertEquals(pool.waiting, 0);
    await pool.drain();
    assertEquals(made.size, 0, "every connection was destroyed");
  },
);
