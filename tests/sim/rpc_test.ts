import { assert, assertEquals } from "@std/assert";
import {
  json,
  keepConnected,
  lengthPrefixed,
  RequestLostError,
  rpcClient,
  type RpcContext,
  rpcHandler,
  serve,
  simulate,
  type VirtualNetwork,
} from "../../mod.ts";

const wire = lengthPrefixed(json());
const ORDERS = 60;

/** How often each order was paid, in a network that loses connections. */
async function payAll(
  network: VirtualNetwork,
  keyed: boolean,
): Promise<{ paid: Map<string, number>; lost: number }> {
  const { clock, random } = network;
  const paid = new Map<string, number>();
  const methods = {
    pay: async ([order]: string[], _: RpcContext) => {
      await clock.sleep(random() * 40);
      paid.set(order!, (paid.get(order!) ?? 0) + 1);
      return order;
    },
  };
  await serve({
    ...network.host("bank"),
    listen: "tcp://0.0.0.0:7",
    wire,
    handler: rpcHandler({ methods, clock }),
  });
  const { clock: hostClock, ...host } = network.host("shop");
  const client = rpcClient<typeof methods>(
    await keepConnected({
      ...host,
      clock: hostClock,
      to: "tcp://bank:7",
      wire,
      reconnect: { spreadMs: 10, minMs: 5, maxMs: 50 },
    }),
    { clock: hostClock },
  );
  let lost = 0;
  const pay = async (order: string) => {
    await clock.sleep(random() * 1000);
    const options = keyed ? { idempotencyKey: order } : {};
    try {
      assertEquals(await client.request("pay", [order], options), order);
      assert(paid.get(order)! > 0, `${order} is answered and not paid`);
    } catch (error) {
      if (keyed || !(error instanceof RequestLostError)) throw error;
      lost++;
      if (!error.mayBeDone) assertEquals(paid.get(order), undefined);
    }
  };
  await Promise.all(
    Array.from({ length: ORDERS }, (_, n) => pay(`order ${n}`)),
  );
  await client.close();
  return { paid, lost };
}

const LINK = { latencyMs: 5, jitterMs: 5, meanLifetimeMs: 150 };

Deno.test("RpcClient has every keyed request carried out once over connections that are reset", async () => {
  let runs = 0;
  await simulate({ seeds: 100, link: LINK }, async (network) => {
    const { paid } = await payAll(network, true);
    assertEquals(paid.size, ORDERS);
    for (const [order, times] of paid) assertEquals([order, times], [order, 1]);
    runs++;
  });
  assertEquals(runs, 100);
});

Deno.test("RpcClient has every keyed request carried out once across partitions", async () => {
  await simulate({ seeds: 50, link: { latencyMs: 5 } }, async (network) => {
    const { clock, random } = network;
    let over = false;
    const weather = async () => {
      while (!over) {
        await clock.sleep(random() * 200);
        network.partition("bank");
        await clock.sleep(random() * 100);
        if (random() < 0.5) network.reset("shop", "bank");
        network.heal();
      }
    };
    const storm = weather();
    const { paid } = await payAll(network, true);
    over = true;
    await storm;
    assertEquals([...paid.values()], Array(ORDERS).fill(1));
  });
});

Deno.test("RpcClient tells the truth about requests without a key", async () => {
  let lostInAll = 0;
  await simulate({ seeds: 50, link: LINK }, async (network) => {
    const { paid, lost } = await payAll(network, false);
    for (const times of paid.values()) assertEquals(times, 1);
    assert(paid.size + lost >= ORDERS);
    lostInAll += lost;
  });
  assert(lostInAll > 100, `only ${lostInAll} requests were lost`);
});
