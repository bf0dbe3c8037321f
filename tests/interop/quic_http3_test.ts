import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  bytes,
  type Client,
  openQuic,
  type Peer,
  type QuicConnection,
  raw,
  serve,
} from "../../mod.ts";
import {
  beginsWith,
  CONTROL_STREAM,
  http3Body,
  http3Frames,
  http3Get,
  http3Ok,
} from "../support/http3.ts";
import { isInstalled } from "../support/installed.ts";
import { CLIENT_TLS, SERVER_TLS } from "../support/tls.ts";
import { within } from "../support/wait.ts";

const GTLS_SERVER = "/usr/sbin/gtlsserver";

/** Places in the static table of QPACK (RFC 9204, appendix A). */
const METHOD_GET = 17;
const STATUS_200 = 25;

const noClient = !await isInstalled("gtlsclient", "--help");
const noServer = !await isInstalled(GTLS_SERVER, "--help");

const wire = raw(bytes());
const H3 = ["h3"];

/** Everything until the end of the stream. */
async function readAll(
  peer: Peer<Uint8Array, Uint8Array> | Client<Uint8Array>,
): Promise<Uint8Array> {
  const parts: number[] = [];
  for await (const part of peer) parts.push(...part);
  return Uint8Array.from(parts);
}

async function sendSettings({ quic }: QuicConnection): Promise<void> {
  const control = await quic.createUnidirectionalStream();
  await control.getWriter().write(CONTROL_STREAM);
}

Deno.test({
  name: "serve() answers ngtcp2's client over HTTP/3",
  ignore: noClient,
  async fn() {
    const requests: Uint8Array[] = [];
    await using server = await serve({
      tls: { ...SERVER_TLS.tls, alpn: H3 },
      quic: { maxUnidirectionalStreams: 3, connection: sendSettings },
      listen: "quic://127.0.0.1:0",
      wire,
      handler: async (peer: Peer<Uint8Array, Uint8Array>) => {
        requests.push(await readAll(peer));
        peer.send(http3Ok("ahoy from Portolan\n"));
      },
    });
    const { port } = new URL(server.endpoint.replace("quic", "http"));
    const { code, stdout, stderr } = await within(
      "the client's end",
      new Deno.Command("gtlsclient", {
        args: [
          "--exit-on-all-streams-close",
          "--nstreams=3",
          "127.0.0.1",
          port,
          `https://localhost:${port}/chart`,
        ],
        stdin: "null",
      }).output(),
    );
    const output = new TextDecoder().decode(stdout) +
      new TextDecoder().decode(stderr);
    assertEquals(code, 0, output);
    assertStringIncludes(output, "[:status: 200]");
    assertEquals(output.match(/body 19 bytes/g)?.length, 3, output);
    assertEquals(requests.length, 3);
    for (const request of requests) {
      assert(beginsWith(http3Frames(request)[0]!, METHOD_GET));
    }
  },
});

Deno.test({
  name: "openQuic() gets a page from ngtcp2's server over HTTP/3",
  ignore: noServer,
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "portolan-" });
    for (const name of ["cert", "key"] as const) {
      await Deno.writeTextFile(`${folder}/${name}.pem`, SERVER_TLS.tls[name]);
    }
    const page = "here be dragons\n".repeat(50);
    await Deno.writeTextFile(`${folder}/page.txt`, page);
    const port = freePort();
    const server = new Deno.Command(GTLS_SERVER, {
      args: [
        "--quiet",
        `--htdocs=${folder}`,
        "127.0.0.1",
        `${port}`,
        `${folder}/key.pem`,
        `${folder}/cert.pem`,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      const to = `quic://127.0.0.1:${port}`;
      await using road = await within(
        "ngtcp2's server",
        untilItListens(() =>
          openQuic({
            to,
            tls: { ...CLIENT_TLS.tls, alpn: H3 },
            timeoutMs: 500,
          })
        ),
      );
      await sendSettings(road);
      assertEquals(road.identity, { protocol: "QUICv1", alpn: "h3" });
      const pages = Array.from({ length: 3 }, async () => {
        const client = await road.connect({ wire });
        client.send(http3Get(`127.0.0.1:${port}`, "/page.txt"));
        await client.end();
        return http3Frames(await within("the page", readAll(client)));
      });
      for (const frames of await Promise.all(pages)) {
        assert(beginsWith(frames[0]!, STATUS_200));
        assertEquals(http3Body(frames), page);
      }
    } finally {
      server.kill();
      await server.status;
      await Deno.remove(folder, { recursive: true });
    }
  },
});

/** A UDP port that nobody uses; the server cannot be asked for the one that the system gave it. */
function freePort(): number {
  const socket = Deno.listenDatagram({
    transport: "udp",
    hostname: "127.0.0.1",
    port: 0,
  });
  const { port } = socket.addr as Deno.NetAddr;
  socket.close();
  return port;
}

async function untilItListens<T>(open: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await open();
    } catch {
      // What was sent before it listened is lost.
    }
  }
}
