import { assert, assertEquals, assertMatch } from "@std/assert";
import { text } from "../../src/proto/codec/text.ts";
import { lines } from "../../src/proto/framing/delimited.ts";
import { serve } from "../../src/server/serve.ts";
import type { Server } from "../../src/server/server.ts";
import { isInstalled } from "../support/installed.ts";
import {
  MUTUAL_SERVER_TLS,
  NODE_SERVER_TLS,
  SERVER_TLS,
} from "../support/tls.ts";
import { within } from "../support/wait.ts";

const hasOpenssl = await isInstalled("openssl", "version");
const hasSslscan = await isInstalled("sslscan", "--version");
const hasNmap = await isInstalled("nmap", "--version");
const FOLDER = new URL("../testdata/tls/", import.meta.url).pathname;

function start(
  tls: { tls: typeof MUTUAL_SERVER_TLS.tls } | typeof SERVER_TLS,
): Promise<Server<string, string>> {
  return serve({
    listen: "tls://127.0.0.1:0",
    wire: lines(text()),
    handler: { message: (peer, line) => peer.send(line.toUpperCase()) },
    ...tls,
  });
}

function portOf({ endpoint }: Server<string, string>): string {
  return new URL(endpoint.replace("tls:", "http:")).port;
}

/** All that a program prints, which is told `input` and, once it has said `until`, that no more comes. */
async function run(
  command: string,
  args: string[],
  input = "",
  until?: RegExp,
): Promise<string> {
  const program = new Deno.Command(command, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = program.stdin.getWriter();
  let output = "";
  let closing: Promise<void> | undefined;
  const close = () => closing ??= writer.close().catch(() => {});
  const collect = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      output += text;
      if (until?.test(output)) void close();
    }
  };
  const collecting = [program.stdout, program.stderr].map(collect);
  await writer.write(new TextEncoder().encode(input)).catch(() => {});
  if (until === undefined) void close();
  try {
    await within("the end of a program", program.status, 20_000);
  } catch (cause) {
    program.kill();
    throw new Error(output, { cause });
  }
  await Promise.all(collecting);
  await close();
  return output;
}

for (
  const [engine, options] of [
    ["native", SERVER_TLS],
    ["node", NODE_SERVER_TLS],
  ] as const
) {
  Deno.test({
    name: `${engine}: openssl speaks TLS 1.2 and 1.3, and nothing older`,
    ignore: !hasOpenssl,
    async fn() {
      await using server = await start(options);
      const speak = (version: string) =>
        run(
          "openssl",
          [
            ...["s_client", "-connect", `127.0.0.1:${portOf(server)}`],
            ...["-CAfile", `${FOLDER}ca.pem`, "-verify_return_error"],
            ...[version, "-quiet", "-no_ign_eof"],
          ],
          "ahoy\n",
          /AHOY|alert|no protocols/,
        );
      assertMatch(await speak("-tls1_3"), /AHOY/);
      assertMatch(await speak("-tls1_2"), /AHOY/);
      assertMatch(await speak("-tls1_1"), /alert|no protocols available/);
    },
  });

  Deno.test({
    name: `${engine}: openssl is not let renegotiate`,
    ignore: !hasOpenssl,
    async fn() {
      await using server = await start(options);
      const args = ["s_client", "-connect", `127.0.0.1:${portOf(server)}`];
      const output = await run(
        "openssl",
        [...args, "-tls1_2"],
        "R\n",
        /no reneg/,
      );
      assertMatch(output, /RENEGOTIATING[^]*no renegotiation/);
      const again = [...args, "-quiet", "-no_ign_eof"];
      assertMatch(await run("openssl", again, "ahoy\n", /AHOY/), /AHOY/);
    },
  });

  Deno.test({
    name: `${engine}: sslscan finds nothing that is weak`,
    ignore: !hasSslscan,
    async fn() {
      await using server = await start(options);
      const output = await run("sslscan", [
        "--no-colour",
        `127.0.0.1:${portOf(server)}`,
      ]);
      for (const version of ["SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1"]) {
        assertMatch(output, new RegExp(`${version} +disabled`));
      }
      assertMatch(output, /TLSv1.3 +enabled/);
      assertMatch(output, /Session renegotiation not supported/);
      const ciphers = output.match(/^(Preferred|Accepted).*$/gm) ?? [];
      assertEquals(ciphers.length, 6);
      for (const cipher of ciphers) {
        assertMatch(cipher, /(128|256) bits .*(GCM|POLY1305)/);
      }
    },
  });

  Deno.test({
    name: `${engine}: nmap grades every cipher A`,
    ignore: !hasNmap,
    async fn() {
      await using server = await start(options);
      const output = await run("nmap", [
        ...["-Pn", "-n", "--script", "ssl-enum-ciphers"],
        ...["-p", portOf(server), "127.0.0.1"],
      ]);
      assertMatch(output, /least strength: A/);
      assert(!/ - [B-F]\b/.test(output), output);
    },
  });
}

Deno.test({
  name: "openssl shows a certificate, and is not let in without",
  ignore: !hasOpenssl,
  async fn() {
    await using server = await start(MUTUAL_SERVER_TLS);
    const args = [
      ...["s_client", "-connect", `127.0.0.1:${portOf(server)}`],
      ...["-CAfile", `${FOLDER}ca.pem`, "-quiet", "-no_ign_eof"],
    ];
    const own = ["-cert", `${FOLDER}client.pem`, "-key", `${FOLDER}key.pem`];
    const shown = await run("openssl", [...args, ...own], "ahoy\n", /AHOY/);
    assertMatch(shown, /AHOY/);
    // The runtime may close the socket before the alert has left it.
    let output = "";
    for (let tries = 0; tries < 10; tries++) {
      output = await run("openssl", args, "ahoy\n", /required|eof/);
      assert(!output.includes("AHOY"));
      if (output.includes("required")) break;
    }
    assertMatch(output, /certificate required/);
  },
});
