import { systemTransports } from "../../src/io/transports.ts";
import { VirtualNetwork } from "../../src/sim/virtual_network.ts";
import { transportSuite } from "./transport_suite.ts";

const network = new VirtualNetwork({
  seed: 1,
  link: { latencyMs: 3, jitterMs: 5, lossRate: 0.01 },
});
let pumping: Promise<void> | undefined;
let stopped = false;

/** The suite waits in real time: meanwhile virtual time passes as fast as it can. */
async function pump(): Promise<void> {
  while (!stopped) await network.clock.advance(1);
}

Deno.test.beforeEach(() => {
  stopped = false;
  pumping = pump();
});

Deno.test.afterEach(async () => {
  stopped = true;
  await pumping;
});

let port = 0;
systemTransports.tcp = network.host("here").transports.tcp;
transportSuite({
  name: "virtual network",
  listen: () => `tcp://here:${++port}`,
});
