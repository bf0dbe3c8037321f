/**
 * The least code that Deno can echo TLS with: what was read is written.
 *
 *     deno run --allow-net --allow-read --no-check floor_tls.ts CERT KEY
 *
 * @module
 */

const [cert = "", key = ""] = Deno.args;

const listener = Deno.listenTls({
  port: 0,
  hostname: "127.0.0.1",
  cert: Deno.readTextFileSync(cert),
  key: Deno.readTextFileSync(key),
  tcpBacklog: 4096,
});
console.log(`listening tcp://127.0.0.1:${listener.addr.port}`);
for await (const conn of listener) echo(conn).catch(() => {});

async function echo(conn: Deno.TlsConn): Promise<void> {
  const bytes = new Uint8Array(64 * 1024);
  while (true) {
    const count = await conn.read(bytes);
    if (count === null) return conn.close();
    for (let at = 0; at < count;) {
      at += await conn.write(bytes.subarray(at, count));
    }
  }
}
