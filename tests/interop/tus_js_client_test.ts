import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { Readable } from "node:stream";
import { Upload, type UploadOptions } from "npm:tus-js-client@4.3.1";
import { seededRandom } from "../../src/bytes/random.ts";
import { serveTus } from "../../src/transfer/tus/serve_tus.ts";
import { Program, run } from "../support/program.ts";
import { randomBytes, TestFolder } from "../support/transfer.ts";
import { portolan, records } from "../support/transfer_kills.ts";
import { within } from "../support/wait.ts";

/** Uploads to the end. */
function upload(
  data: Uint8Array | Readable,
  options: Partial<UploadOptions> & { endpoint: string },
): Promise<Upload> {
  const ended = new Promise<Upload>((resolve, reject) => {
    const file = data instanceof Readable ? data : Buffer.from(data);
    const upload: Upload = new Upload(file, {
      retryDelays: [100, 200, 400, 800, 1600, 3200],
      onSuccess: () => resolve(upload),
      onError: reject,
      ...options,
    });
    upload.start();
  });
  return within("the end of an upload", ended, 60_000);
}

Deno.test("tus-js-client uploads a buffer", async () => {
  using folder = new TestFolder();
  const data = randomBytes(3_000_001, seededRandom(1));
  const listen = "http://127.0.0.1:0/files";
  await using server = await serveTus({ directory: folder.path, listen });
  const { endpoint } = server;
  await upload(data, { endpoint, metadata: { filename: "a/ü.bin" } });
  assertEquals(Deno.readFileSync(`${folder.path}/a/ü.bin`), data);
  await upload(data, {
    endpoint,
    chunkSize: 700_000,
    uploadDataDuringCreation: true,
    metadata: { filename: "chunks" },
  });
  assertEquals(Deno.readFileSync(`${folder.path}/chunks`), data);
  await upload(new Uint8Array(0), {
    endpoint,
    metadata: { filename: "empty" },
  });
  assertEquals(Deno.readFileSync(`${folder.path}/empty`).length, 0);
});

Deno.test("tus-js-client uploads a stream", async () => {
  using folder = new TestFolder();
  const data = randomBytes(2_000_003, seededRandom(2));
  const listen = "http://127.0.0.1:0";
  await using server = await serveTus({ directory: folder.path, listen });
  const parts = Array.from(
    { length: 21 },
    (_, at) => data.slice(at * 100_000, (at + 1) * 100_000),
  );
  await upload(Readable.from(parts), {
    endpoint: server.endpoint,
    uploadSize: data.length,
    chunkSize: 512 * 1024,
    metadata: { filename: "stream" },
  });
  assertEquals(Deno.readFileSync(`${folder.path}/stream`), data);
});

Deno.test("tus-js-client uploads parts in parallel", async () => {
  using folder = new TestFolder();
  const data = randomBytes(5_000_000, seededRandom(3));
  const listen = "http://127.0.0.1:0/files/";
  await using server = await serveTus({ directory: folder.path, listen });
  await upload(data, {
    endpoint: server.endpoint,
    parallelUploads: 4,
    metadata: { filename: "parallel" },
  });
  assertEquals(Deno.readFileSync(`${folder.path}/parallel`), data);
});

Deno.test("tus-js-client terminates an upload", async () => {
  using folder = new TestFolder();
  const listen = "http://127.0.0.1:0";
  await using server = await serveTus({ directory: folder.path, listen });
  const { endpoint } = server;
  const data = randomBytes(1000, seededRandom(4));
  const { url } = await upload(data, { endpoint });
  await Upload.terminate(url!);
  const headers = { "Tus-Resumable": "1.0.0" };
  const { status } = await fetch(url!, { method: "HEAD", headers });
  assertEquals(status, 410);
});

/** A receiver with an endpoint for tus, at `port`. */
async function startTus(folder: TestFolder, port: number): Promise<Program> {
  const tus = `http://127.0.0.1:${port}/files`;
  const unix = `unix:${folder.path}/socket`;
  const args = ["--listen", unix, "--tus", tus, "--json"];
  const receiver = Program.start(
    portolan("receive", folder.make("inbox"), ...args),
  );
  await receiver.until("two endpoints", () => endpoints(receiver).length === 2);
  return receiver;
}

function endpoints(program: Program): unknown[] {
  return records(program).filter(({ type }) => type === "listening")
    .map(({ endpoint }) => endpoint);
}

Deno.test("tus-js-client goes on after deno task receive was killed", async () => {
  using folder = new TestFolder();
  const seed = 9;
  const random = seededRandom(seed);
  const data = randomBytes(64e6, random);
  let receiver = await startTus(folder, 0);
  const endpoint = String(endpoints(receiver)[1]);
  const port = Number(new URL(endpoint).port);
  // The client does not repeat the request that joins the parts: the kill comes long before.
  for (const [parallelUploads, most] of [[1, 3], [3, 1]] as const) {
    let kills = 0;
    let restart: Promise<unknown> | undefined;
    const offsets: number[] = [];
    await upload(data, {
      endpoint,
      parallelUploads,
      retryDelays: new Array(50).fill(200),
      metadata: { filename: `killed ${parallelUploads}` },
      onAfterResponse(request, response) {
        if (request.getMethod() !== "HEAD") return;
        offsets.push(Number(response.getHeader("upload-offset")));
      },
      onProgress(sent) {
        const isDue = sent >= data.length * (kills + 0.5) / 4;
        if (kills === most || restart !== undefined || !isDue) return;
        kills++;
        receiver.kill("SIGKILL");
        restart = receiver.ended().then(async () => {
          receiver = await startTus(folder, port);
          restart = undefined;
        });
      },
    });
    await restart;
    const path = `${folder.path}/inbox/killed ${parallelUploads}`;
    assertEquals(Deno.readFileSync(path), data, `seed ${seed}`);
    assertEquals(kills, most);
    assert(offsets.some((offset) => offset > 0), `${offsets}`);
  }
  assertEquals(await receiver.stop(), 0);
});

Deno.test("deno task receive refuses --tus where it would let anybody in", async () => {
  using folder = new TestFolder();
  const tus = ["--tus", "http://127.0.0.1:0", "--listen", "memory:x"];
  const code = async (...args: string[]) => {
    const command = portolan("receive", folder.path, ...tus, ...args);
    return (await run(command)).code;
  };
  assertEquals(await code("--client-ca", "ca.pem"), 2);
  assertEquals(await code("--read-only"), 2);
  assertEquals(await code("--tus", "ftp://127.0.0.1:0"), 2);
});
