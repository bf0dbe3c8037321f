/**
 * What crosses the wire of a file of 1 GiB of which 1 % was changed in place and a byte put before it: the data of both ways,
 * counted by a relay between sender and receiver.
 *
 *     deno run --allow-net=127.0.0.1 --allow-read=.,/tmp --allow-write=/tmp benches/transfer_delta.ts [MIB]
 *
 * @module
 */

import { seededRandom } from "../src/bytes/random.ts";
import { sendFiles } from "../src/transfer/send_files.ts";
import { serveFiles } from "../src/transfer/serve_files.ts";
import { countingRelay } from "../tests/support/counting_relay.ts";
import { randomBytes, TestFolder } from "../tests/support/transfer.ts";

const MIB = 1024 * 1024;
const [size = "1024"] = Deno.args;
const bytes = Number(size) * MIB;

/** Writes both versions; changes are runs of `runBytes`. */
function makeFiles(old: string, next: string, runBytes: number): void {
  const random = seededRandom(runBytes);
  using before = Deno.createSync(old);
  using after = Deno.createSync(next);
  after.writeSync(Uint8Array.of(0));
  for (let at = 0; at < bytes; at += MIB) {
    const data = randomBytes(MIB, random);
    before.writeSync(data);
    after.writeSync(data);
  }
  for (let run = 1; run * runBytes <= bytes / 100; run++) {
    const at = Math.floor(random() * (bytes - runBytes));
    after.seekSync(at, Deno.SeekMode.Start);
    after.writeSync(randomBytes(runBytes, random));
  }
}

for (const runBytes of [4096, 64 * 1024, MIB]) {
  using folder = new TestFolder();
  const [source, directory] = [folder.make("source"), folder.make("target")];
  makeFiles(`${directory}/file`, `${source}/file`, runBytes);
  Deno.utimeSync(`${directory}/file`, 1, 1);
  const listen = "tcp://127.0.0.1:0";
  await using server = await serveFiles({ directory, listen });
  await using relay = countingRelay(server.endpoint);
  const paths = [`${source}/`];
  const transfer = sendFiles({ paths, to: relay.endpoint });
  const { elapsedMs, problems } = await transfer.summary;
  const share = (relay.bytes / bytes * 100).toFixed(2);
  console.log(
    `runs of ${runBytes} bytes: ${share} % in ${Math.round(elapsedMs)} ms`,
    problems,
  );
}
