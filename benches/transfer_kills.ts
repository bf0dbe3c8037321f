/**
 * Kills the programs of a transfer at many random moments: a longer run of what the tests do.
 *
 *     deno run --allow-net --allow-read=.,/tmp --allow-write=/tmp --allow-env=NO_COLOR --allow-run=deno \
 *       benches/transfer_kills.ts [KILLS] [SEED]
 *
 * @module
 */

import { killTransfers } from "../tests/support/transfer_kills.ts";

const [kills = "200", seed = String(Date.now() % 1e9)] = Deno.args;
console.log(`seed ${seed}`);
console.log(await killTransfers(Number(kills), Number(seed)));
