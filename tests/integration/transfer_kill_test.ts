import { killTransfers } from "../support/transfer_kills.ts";

const seed = Number(Deno.env.get("PORTOLAN_SEED") ?? Date.now() % 1e9);

Deno.test(`send and receive go on after kill -9 of either, and send little twice (seed ${seed})`, async () => {
  await killTransfers(20, seed);
});
