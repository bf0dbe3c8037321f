import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { createHash } from "node:crypto";
import { seededRandom } from "../../src/bytes/random.ts";
import { type Disk, systemDisk } from "../../src/transfer/disk.ts";
import { DiskStore } from "../../src/transfer/disk_store.ts";
import {
  serveTus,
  type ServeTusOptions,
  serveTusStore,
  type TusArrival,
  type TusServer,
} from "../../src/transfer/tus/serve_tus.ts";
import { randomBytes, TestFolder } from "../support/transfer.ts";
import { CLIENT_TLS, SERVER_TLS } from "../support/tls.ts";
import { within } from "../support/wait.ts";

/** What came back. */
interface Got {
  status: number;
  headers: Headers;
  body: string;
}

async function send(
  method: string,
  url: string,
  headers: Record<string, string> = {},
  body?: BodyInit,
): Promise<Got> {
  const response = await fetch(url, {
    method,
    headers: { "Tus-Resumable": "1.0.0", ...headers },
    ...(body === undefined ? {} : { body }),
  });
  const { status, headers: got } = response;
  return { status, headers: got, body: await response.text() };
}

function patch(
  url: string,
  offset: number,
  body: BodyInit,
  headers: Record<string, string> = {},
): Promise<Got> {
  return send("PATCH", url, {
    "Upload-Offset": `${offset}`,
    "Content-Type": "application/offset+octet-stream",
    ...headers,
  }, body);
}

function named(name: string): Record<string, string> {
  return { "Upload-Metadata": `filename ${btoa(name)}` };
}

/** Creates an upload; its URL. */
async function create(
  { endpoint }: TusServer,
  headers: Record<string, string>,
): Promise<string> {
  const got = await send("POST", endpoint, headers);
  assertEquals(got.status, 201, got.body);
  return new URL(got.headers.get("location")!, endpoint).href;
}

function serveIn(
  folder: TestFolder,
  options: Partial<ServeTusOptions> = {},
): Promise<TusServer> {
  return serveTus({
    directory: folder.path,
    listen: "http://127.0.0.1:0/files",
    ...options,
  });
}

async function offset(url: string): Promise<string | null> {
  return (await send("HEAD", url)).headers.get("upload-offset");
}

Deno.test("serveTus() tells what it can", async () => {
  using folder = new TestFolder();
  const limits = { maxUploadBytes: 1000 };
  await using server = await serveIn(folder, { limits });
  const got = await send("OPTIONS", server.endpoint, { "Tus-Resumable": "9" });
  assertEquals(got.status, 204);
  assertEquals(got.headers.get("tus-version"), "1.0.0");
  assertEquals(got.headers.get("tus-max-size"), "1000");
  assertEquals(got.headers.get("tus-checksum-algorithm"), "sha1,sha256");
  assertEquals(
    got.headers.get("tus-extension"),
    "creation,creation-with-upload,creation-defer-length,checksum," +
      "termination,concatenation,expiration",
  );
});

Deno.test("serveTus() takes a file in pieces, and puts it to its place when it is whole", async () => {
  using folder = new TestFolder();
  const arrivals: TusArrival[] = [];
  await using server = await serveIn(folder, {
    arrived: (arrival) => arrivals.push(arrival),
  });
  const metadata = named("a/b/c.txt");
  const headers = { "Upload-Length": "10", ...metadata };
  const url = await create(server, headers);
  assertMatch(url, /\/files\/[0-9a-f]{32}$/);
  const first = await patch(url, 0, "01234");
  assertEquals([first.status, first.headers.get("upload-offset")], [204, "5"]);
  assert(Date.parse(first.headers.get("upload-expires")!) > Date.now());
  assertThrows(() => Deno.lstatSync(`${folder.path}/a`));
  const told = await send("HEAD", url);
  assertEquals(told.status, 200);
  assertEquals(told.headers.get("cache-control"), "no-store");
  assertEquals(told.headers.get("upload-length"), "10");
  assertEquals(
    told.headers.get("upload-metadata"),
    metadata["Upload-Metadata"],
  );
  const last = await send("POST", url, {
    "X-HTTP-Method-Override": "PATCH",
    "Upload-Offset": "5",
    "Content-Type": "application/offset+octet-stream",
  }, "56789");
  assertEquals([last.status, last.headers.get("upload-offset")], [204, "10"]);
  assertEquals(Deno.readTextFileSync(`${folder.path}/a/b/c.txt`), "0123456789");
  assertEquals(await offset(url), "10");
  assertEquals(arrivals.map(({ path, bytes }) => [path, bytes]), [[
    "a/b/c.txt",
    10,
  ]]);
  assertEquals((await send("DELETE", url)).status, 204);
  assertEquals((await send("HEAD", url)).status, 410);
  assertEquals(Deno.lstatSync(`${folder.path}/a/b/c.txt`).size, 10);
  assertEquals([...Deno.readDirSync(`${folder.path}/.portolan/tus`)], []);
});

Deno.test("serveTus() takes a length that is told later", async () => {
  using folder = new TestFolder();
  await using server = await serveIn(folder);
  const url = await create(server, {
    "Upload-Defer-Length": "1",
    ...named("later"),
  });
  assertEquals(
    (await send("HEAD", url)).headers.get("upload-defer-length"),
    "1",
  );
  assertEquals((await patch(url, 0, "abc")).status, 204);
  assertEquals(
    (await patch(url, 3, "de", { "Upload-Length": "4" })).status,
    413,
  );
  assertEquals((await patch(url, 3, "", { "Upload-Length": "2" })).status, 400);
  assertEquals(
    (await patch(url, 3, "d", { "Upload-Length": "5" })).status,
    204,
  );
  const told = await send("HEAD", url);
  assertEquals(told.headers.get("upload-defer-length"), null);
  assertEquals(told.headers.get("upload-length"), "5");
  assertEquals(
    (await patch(url, 4, "e", { "Upload-Length": "6" })).status,
    400,
  );
  assertEquals((await patch(url, 4, "e")).status, 204);
  assertEquals(Deno.readTextFileSync(`${folder.path}/later`), "abcde");
});

Deno.test("serveTus() keeps only what has the checksum that came with it", async () => {
  using folder = new TestFolder();
  await using server = await serveIn(folder);
  const data = randomBytes(600_000, seededRandom(5));
  const digest = (name: string, bytes: Uint8Array) =>
    `${name} ${createHash(name).update(bytes).digest("base64")}`;
  const url = await create(server, {
    "Upload-Length": "600000",
    ...named("c"),
  });
  const [head, tail] = [data.slice(0, 300_001), data.slice(300_001)];
  const check = (name: string, bytes: Uint8Array) => ({
    "Upload-Checksum": digest(name, bytes),
  });
  assertEquals((await patch(url, 0, head, check("sha1", tail))).status, 460);
  assertEquals(await offset(url), "0");
  assertEquals((await patch(url, 0, head, check("sha1", head))).status, 204);
  assertEquals(
    (await patch(url, 300_001, tail, check("sha256", head))).status,
    460,
  );
  assertEquals(await offset(url), "300001");
  const md5 = { "Upload-Checksum": "md5 1B2M2Y8AsgTpgAmY7PhCfg==" };
  const short = { "Upload-Checksum": "sha1 AAAA" };
  assertEquals((await patch(url, 300_001, tail, md5)).status, 400);
  assertEquals((await patch(url, 300_001, tail, short)).status, 400);
  assertEquals(
    (await patch(url, 300_001, tail, check("sha256", tail))).status,
    204,
  );
  assertEquals(Deno.readFileSync(`${folder.path}/c`), data);
});

Deno.test("serveTus() makes a file of parts", async () => {
  using folder = new TestFolder();
  await using server = await serveIn(folder);
  const part = async (text: string, length = text.length) => {
    const url = await create(server, {
      "Upload-Concat": "partial",
      "Upload-Length": `${length}`,
    });
    assertEquals((await patch(url, 0, text)).status, 204);
    return url;
  };
  const [a, b] = [await part("hello"), await part(" world")];
  const concat = `final;${a} ${new URL(b).pathname} ${a}`;
  const url = await create(server, {
    "Upload-Concat": concat,
    ...named("joined"),
  });
  assertEquals(
    Deno.readTextFileSync(`${folder.path}/joined`),
    "hello worldhello",
  );
  const told = await send("HEAD", url);
  assertEquals(told.headers.get("upload-concat"), concat);
  assertEquals(told.headers.get("upload-length"), "16");
  assertEquals(told.headers.get("upload-offset"), "16");
  assertEquals((await patch(url, 16, "")).status, 403);
  const half = await part("hal", 4);
  const final = async (value: string, more = {}) =>
    (await send("POST", server.endpoint, { "Upload-Concat": value, ...more }))
      .status;
  assertEquals(await final(`final;${a} ${half}`), 400);
  assertEquals(await final(`final;${a}`, { "Upload-Length": "5" }), 400);
  assertEquals(await final("final;"), 400);
  assertEquals(await final("finale"), 400);
  assertEquals(await final(`final;${url}`), 400);
  assertEquals(await final("final;/files/" + "0".repeat(32)), 404);
  assertEquals(await final("final;/etc/passwd"), 404);
  assertEquals(await final("final;../../../etc/passwd"), 404);
});

Deno.test("serveTus() refuses requests that are at fault, each by its status", async () => {
  using folder = new TestFolder();
  Deno.mkdirSync(`${folder.path}/directory`);
  const limits = { maxUploadBytes: 1000, maxMetadataBytes: 100 };
  await using server = await serveIn(folder, { limits });
  const { endpoint } = server;
  const url = await create(server, { "Upload-Length": "10" });
  const status = async (got: Promise<Got>) => (await got).status;
  const post = (headers: Record<string, string>, body?: BodyInit) =>
    status(send("POST", endpoint, headers, body));
  const length = { "Upload-Length": "10" };

  assertEquals(await status(patch(url, 3, "x")), 409);
  assertEquals(
    await status(patch(url, 0, "x", { "Tus-Resumable": "0.2.2" })),
    412,
  );
  const version = await send("HEAD", url, { "Tus-Resumable": "2.0.0" });
  assertEquals(version.status, 412);
  assertEquals(version.headers.get("tus-version"), "1.0.0");
  assertEquals(await post({ "Upload-Length": "1001" }), 413);
  assertEquals(await status(patch(url, 0, "0123456789x")), 413);
  const unknown = `${endpoint}/${"0".repeat(32)}`;
  assertEquals(await status(send("HEAD", unknown)), 404);
  assertEquals(await status(patch(unknown, 0, "x")), 404);
  assertEquals(await status(send("DELETE", unknown)), 404);
  assertEquals(await status(send("POST", endpoint.replace("files", "x"))), 404);
  assertEquals(await status(send("HEAD", `${endpoint}/..%2f..%2fetc`)), 404);
  assertEquals(await status(send("GET", url)), 405);
  assertEquals(await status(send("PATCH", endpoint)), 405);
  assertEquals(await status(send("GET", endpoint)), 405);
  for (const value of ["-1", "+1", "1.5", "1e3", "", "ten", "9".repeat(17)]) {
    assertEquals(await post({ "Upload-Length": value }), 400, value);
    const got = patch(url, 0, "x", { "Upload-Offset": value });
    assertEquals(await status(got), 400, value);
  }
  assertEquals(await post({}), 400);
  assertEquals(await post({ ...length, "Upload-Defer-Length": "1" }), 400);
  assertEquals(await post({ "Upload-Defer-Length": "2" }), 400);
  assertEquals(
    await status(patch(url, 0, "x", { "Content-Type": "text/plain" })),
    415,
  );
  assertEquals(
    await post({ ...length, "Content-Type": "text/plain" }, "x"),
    415,
  );
  const bad = [
    "filename YQ==,filename YQ==",
    "filename !!!!",
    "filename YQ== YQ==",
    " ",
    "a,,b",
    "na\u00efve YQ==",
  ];
  for (const value of bad) {
    assertEquals(
      await post({ ...length, "Upload-Metadata": value }),
      400,
      value,
    );
  }
  const large = { "Upload-Metadata": `filename ${"A".repeat(200)}` };
  assertEquals(await post({ ...length, ...large }), 431);
  const names = [
    "../up",
    "/etc/passwd",
    "a/../../up",
    "a//b",
    "",
    ".",
    ".portolan/journal",
    ".PORTOLAN/x",
    "a\\b",
    "a\0b",
    "line\nbreak",
    "\xff\xfe",
  ];
  for (const name of names) {
    assertEquals(await post({ ...length, ...named(name) }), 400, name);
  }
  assertEquals(await post({ ...length, ...named("directory") }), 409);
  assertEquals(await offset(url), "0");
  assertEquals(await status(patch(url, 0, "0123456789")), 204);
});

Deno.test("serveTus() writes nothing behind a link", async () => {
  using folder = new TestFolder();
  const [inside, outside] = [folder.make("inside"), folder.make("outside")];
  await new Deno.Command("python3", {
    args: ["-c", `import os; os.symlink("${outside}", "${inside}/link")`],
  }).output();
  const listen = "http://127.0.0.1:0";
  await using server = await serveTus({ directory: inside, listen });
  const headers = { "Upload-Length": "1", ...named("link/x") };
  assertEquals((await send("POST", server.endpoint, headers)).status, 409);
  assertEquals([...Deno.readDirSync(outside)], []);
});

Deno.test("serveTus() counts uploads, and their bytes", async () => {
  using folder = new TestFolder();
  const limits = {
    maxUploads: 3,
    maxUploadsPerSource: 2,
    maxUnfinishedBytes: 100,
  };
  await using server = await serveIn(folder, { limits });
  const post = async (length: number) =>
    (await send("POST", server.endpoint, { "Upload-Length": `${length}` }))
      .status;
  assertEquals(await post(101), 507);
  const url = await create(server, { "Upload-Length": "60" });
  assertEquals(await post(41), 507);
  const deferred = await create(server, { "Upload-Defer-Length": "1" });
  assertEquals((await patch(deferred, 0, "x".repeat(41))).status, 507);
  assertEquals(await post(1), 429);
  await send("DELETE", url);
  assertEquals(await post(1), 201);
});

Deno.test("serveTus() removes uploads that have expired, and remembers that", async () => {
  using folder = new TestFolder();
  let wallMs = Date.UTC(2030, 0, 1);
  const limits = { expireMs: 1000 };
  const options = { limits, wallMs: () => wallMs };
  await using server = await serveIn(folder, options);
  const url = await create(server, { "Upload-Length": "2" });
  wallMs += 999;
  const got = await patch(url, 0, "x");
  assertEquals(
    got.headers.get("upload-expires"),
    "Tue, 01 Jan 2030 00:00:01 GMT",
  );
  wallMs += 1000;
  assertEquals((await patch(url, 1, "x")).status, 410);
  assertEquals([...Deno.readDirSync(`${folder.path}/.portolan/tus`)], []);
});

/** Writes the head of a request and some of its body on a connection of its own. */
async function beginPatch(
  url: string,
  offset: number,
  length: number,
  body: string | Uint8Array,
): Promise<Deno.Conn> {
  const { hostname, port, pathname } = new URL(url);
  const conn = await Deno.connect({ hostname, port: Number(port) });
  const text = `PATCH ${pathname} HTTP/1.1\r\nHost: x\r\n` +
    `Tus-Resumable: 1.0.0\r\nUpload-Offset: ${offset}\r\n` +
    `Content-Type: application/offset+octet-stream\r\n` +
    `Content-Length: ${length}\r\n\r\n`;
  const encoder = new TextEncoder();
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  for (const part of [encoder.encode(text), bytes]) {
    for (let at = 0; at < part.length;) {
      at += await conn.write(part.subarray(at));
    }
  }
  return conn;
}

Deno.test("serveTus() lets one request at a time write to an upload", async () => {
  using folder = new TestFolder();
  await using server = await serveIn(folder);
  const url = await create(server, { "Upload-Length": "10", ...named("one") });
  using _first = await beginPatch(url, 0, 10, "01234");
  let status = 0;
  const second = async () => {
    // Until the first one is at work, this is too early.
    while (status !== 423 && status !== 409) {
      status = (await patch(url, 1, "x")).status;
    }
  };
  await within("the second request's answer", second());
  // The first one is silent, and gives way.
  const third = async () => {
    while (status !== 204) {
      const at = Number(await offset(url));
      status = (await patch(url, at, "0123456789".slice(at))).status;
    }
  };
  await within("the end of the upload", third());
  assertEquals(Deno.readTextFileSync(`${folder.path}/one`), "0123456789");
});

Deno.test("serveTus() keeps what came before a connection broke, and ends one that is silent", async () => {
  using folder = new TestFolder();
  await using server = await serveIn(folder, { limits: { stalledMs: 200 } });
  const data = randomBytes(600_000, seededRandom(7));
  const headers = { "Upload-Length": "600000", ...named("kept") };
  const url = await create(server, headers);
  const first = await beginPatch(url, 0, 600_000, data.subarray(0, 300_000));
  const blocks = async () => {
    while (await offset(url) !== "262144");
  };
  await within("what was written", blocks());
  first.close();
  let at = 262_144;
  const freed = async () => {
    while ((await patch(url, at, "")).status !== 204) {
      at = Number(await offset(url));
    }
  };
  await within("the end of the first request", freed());
  using conn = await beginPatch(
    url,
    at,
    600_000 - at,
    data.subarray(at, at + 9),
  );
  const answer = new Uint8Array(1000);
  const count = await within("an answer", conn.read(answer));
  const text = new TextDecoder().decode(answer.subarray(0, count ?? 0));
  assertMatch(text, /^HTTP\/1\.1 408 /);
  assertEquals(await offset(url), `${at + 9}`);
  assertEquals((await patch(url, at + 9, data.slice(at + 9))).status, 204);
  assertEquals(Deno.readFileSync(`${folder.path}/kept`), data);
});

Deno.test("serveTus() keeps the rate", async () => {
  using folder = new TestFolder();
  const limits = { bytesPerSecond: 1_000_000 };
  await using server = await serveIn(folder, { limits });
  const url = await create(server, { "Upload-Length": "1300000" });
  const startMs = performance.now();
  assertEquals((await patch(url, 0, new Uint8Array(1_300_000))).status, 204);
  assert(performance.now() - startMs > 250);
});

Deno.test("serveTus() goes on with uploads that another server began", async () => {
  using folder = new TestFolder();
  const data = randomBytes(700_000, seededRandom(6));
  const first = await serveIn(folder);
  const deferred = { "Upload-Defer-Length": "1", ...named("x/y") };
  const path = new URL(await create(first, deferred)).pathname;
  const at = (server: TusServer) => new URL(path, server.endpoint).href;
  assertEquals((await patch(at(first), 0, data.slice(0, 400_000))).status, 204);
  await first.drain();
  const log = `${folder.path}/.portolan/tus/${path.split("/").at(-1)}.log`;
  // What a crash may have left: a block whose data was lost, and half a line.
  const lost = { type: "block", end: 500_000, sha256: "00" };
  Deno.writeTextFileSync(log, `${JSON.stringify(lost)}\n{"type":"bl`, {
    append: true,
  });
  Deno.truncateSync(log.replace(".log", ""), 600_000);
  Deno.writeTextFileSync(`${folder.path}/.portolan/tus/${"f".repeat(32)}`, "");
  await using second = await serveIn(folder);
  assertEquals(await offset(at(second)), "400000");
  const length = { "Upload-Length": "700000" };
  const got = await patch(at(second), 400_000, data.slice(400_000), length);
  assertEquals(got.status, 204);
  assertEquals(Deno.readFileSync(`${folder.path}/x/y`), data);
  assertEquals([...Deno.readDirSync(`${folder.path}/.portolan/tus`)].length, 1);
});

Deno.test("serveTus() says so when the disk is full, and goes on when it is not", async () => {
  using folder = new TestFolder();
  let isFull = false;
  const disk: Disk = {
    ...systemDisk,
    open(path, options) {
      const file = systemDisk.open(path, options);
      const write = file.writeSync.bind(file);
      file.writeSync = (bytes) => {
        if (!isFull || path.endsWith(".log")) return write(bytes);
        throw Object.assign(new Error("No space left"), { code: "ENOSPC" });
      };
      return file;
    },
  };
  using store = DiskStore.open(folder.path, { disk });
  const failures: unknown[] = [];
  await using server = await serveTusStore(store, {
    directory: folder.path,
    listen: "http://127.0.0.1:0/files",
    failed: (error) => failures.push(error),
  });
  const url = await create(server, { "Upload-Length": "6", ...named("full") });
  assertEquals((await patch(url, 0, "012")).status, 204);
  isFull = true;
  assertEquals((await patch(url, 3, "345")).status, 507);
  assertEquals([await offset(url), failures.length], ["3", 1]);
  isFull = false;
  assertEquals((await patch(url, 3, "345")).status, 204);
  assertEquals(Deno.readTextFileSync(`${folder.path}/full`), "012345");
});

Deno.test("serveTus() lets pages of one origin upload, and no others", async () => {
  using folder = new TestFolder();
  const allowOrigin = "https://example.org";
  await using server = await serveIn(folder, { allowOrigin });
  const ask = async (origin: string) =>
    (await send("OPTIONS", server.endpoint, { Origin: origin })).headers
      .get("access-control-allow-origin");
  assertEquals(await ask("https://example.org"), allowOrigin);
  assertEquals(await ask("https://example.com"), null);
});

Deno.test("serveTus() breaks off requests when it ends, and keeps what they brought", async () => {
  using folder = new TestFolder();
  const server = await serveIn(folder);
  const url = await create(server, { "Upload-Length": "400000" });
  const data = randomBytes(300_000, seededRandom(8));
  using _conn = await beginPatch(url, 0, 400_000, data);
  const blocks = async () => {
    while (await offset(url) !== "262144");
  };
  await within("what was written", blocks());
  await within("the end of the server", server.drain());
  await using again = await serveIn(folder);
  const path = new URL(url).pathname;
  const at = Number(await offset(new URL(path, again.endpoint).href));
  assert(at >= 262_144, `${at}`);
});

Deno.test("serveTus() speaks https where it has a certificate", async () => {
  using folder = new TestFolder();
  const listen = "https://127.0.0.1:0/files";
  await using server = await serveIn(folder, { listen, ...SERVER_TLS });
  assertMatch(server.endpoint, /^https:\/\/127\.0\.0\.1:\d+\/files$/);
  using client = Deno.createHttpClient(CLIENT_TLS.tls);
  const response = await fetch(server.endpoint, {
    client,
    method: "POST",
    headers: { "Tus-Resumable": "1.0.0", "Upload-Length": "0", ...named("s") },
  });
  await response.body?.cancel();
  assertEquals(response.status, 201);
  assertEquals(Deno.lstatSync(`${folder.path}/s`).size, 0);
});

Deno.test("serveTus() refuses endpoints that it cannot serve, and folders that another has", async () => {
  using folder = new TestFolder();
  const refused = (options: Partial<ServeTusOptions>, message: string) =>
    assertRejects(() => serveIn(folder, options), Error, message);
  const http = "http://HOST:PORT/PATH is expected";
  await refused({ listen: "ftp://127.0.0.1" }, http);
  await refused({ listen: "127.0.0.1:9701" }, http);
  await refused({ listen: "http://127.0.0.1:0/?a" }, http);
  await refused({ listen: "https://127.0.0.1:0" }, "goes with https: alone");
  await refused({ ...SERVER_TLS }, "goes with https: alone");
  await using server = await serveIn(folder);
  await refused({}, "another process does");
  using other = new TestFolder();
  await assertRejects(
    () => serveIn(other, { listen: server.endpoint }),
    Error,
    "address in use",
  );
});

Deno.test("serveTus() keeps a file that is there until the new one is whole", async () => {
  using folder = new TestFolder();
  const path = `${folder.path}/file`;
  Deno.writeTextFileSync(path, "old");
  await using server = await serveIn(folder);
  const url = await create(server, { "Upload-Length": "6", ...named("file") });
  assertEquals((await patch(url, 0, "the ")).status, 204);
  assertEquals(Deno.readTextFileSync(path), "old");
  assertEquals((await patch(url, 4, "ne")).status, 204);
  assertEquals(Deno.readTextFileSync(path), "the ne");
  // What came in the way meanwhile is told, and the data is kept.
  const headers = { "Upload-Length": "1", ...named("later") };
  const late = await create(server, headers);
  Deno.mkdirSync(`${folder.path}/later`);
  assertEquals((await patch(late, 0, "x")).status, 409);
  assertEquals((await send("HEAD", late)).status, 409);
  Deno.removeSync(`${folder.path}/later`);
  assertEquals((await send("HEAD", late)).status, 200);
  assertEquals(Deno.readTextFileSync(`${folder.path}/later`), "x");
});
