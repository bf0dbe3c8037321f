/**
 * The least code that Deno can do the job with: a hand-written loop that reads,
 * parses and writes. `json` answers each echo message, `raw` returns each frame.
 *
 *     deno run --allow-net --no-check floor.ts PORT json|raw [CERT KEY]
 *
 * @module
 */

const [port = "0", mode = "json", cert, key] = Deno.args;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

const options = { port: +port, hostname: "127.0.0.1", tcpBacklog: 4096 };
const listener = cert === undefined || key === undefined
  ? Deno.listen(options)
  : Deno.listenTls({
    ...options,
    cert: Deno.readTextFileSync(cert),
    key: Deno.readTextFileSync(key),
  });
console.log(`listening tcp://127.0.0.1:${listener.addr.port}`);
for await (const conn of listener) handle(conn);

function grown(bytes: Uint8Array, used: number, need: number) {
  const more = new Uint8Array(Math.max(bytes.length * 2, need));
  more.set(bytes.subarray(0, used));
  return more;
}

function setLength(out: Uint8Array, at: number, length: number) {
  out[at] = length >>> 24;
  out[at + 1] = length >>> 16;
  out[at + 2] = length >>> 8;
  out[at + 3] = length;
}

async function writeAll(conn: Deno.Conn, bytes: Uint8Array) {
  let at = 0;
  while (at < bytes.length) {
    at += await conn.write(at > 0 ? bytes.subarray(at) : bytes);
  }
}

async function handle(conn: Deno.TcpConn | Deno.TlsConn) {
  if ("setNoDelay" in conn) conn.setNoDelay(true);
  let input = new Uint8Array(65536);
  let inputLength = 0;
  let output = new Uint8Array(65536);
  let outputLength = 0;
  try {
    for (;;) {
      const n = await conn.read(input.subarray(inputLength));
      if (n === null) break;
      inputLength += n;
      let at = 0;
      while (inputLength - at >= 4) {
        const length = (input[at]! << 24 | input[at + 1]! << 16 |
          input[at + 2]! << 8 | input[at + 3]!) >>> 0;
        if (inputLength - at - 4 < length) break;
        const body = input.subarray(at + 4, at + 4 + length);
        at += 4 + length;
        if (mode === "raw") {
          const need = outputLength + length + 4;
          if (need > output.length) output = grown(output, outputLength, need);
          output.set(body, outputLength + 4);
          setLength(output, outputLength, length);
          outputLength += 4 + length;
        } else {
          const message = JSON.parse(decoder.decode(body));
          const reply = JSON.stringify({
            type: "echo_response",
            content: message.content,
            timestamp: "2024-01-01T12:00:00.001Z",
            echoed_by: "TCP Server",
          });
          const need = outputLength + reply.length * 3 + 4;
          if (need > output.length) output = grown(output, outputLength, need);
          const { written } = encoder.encodeInto(
            reply,
            output.subarray(outputLength + 4),
          );
          setLength(output, outputLength, written);
          outputLength += 4 + written;
        }
      }
      if (at > 0) {
        input.copyWithin(0, at, inputLength);
        inputLength -= at;
      } else if (inputLength === input.length) {
        input = grown(input, inputLength, input.length * 2);
      }
      if (outputLength > 0) {
        await writeAll(conn, output.subarray(0, outputLength));
        outputLength = 0;
      }
    }
  } catch {
    // The client went away.
  } finally {
    try {
      conn.close();
    } catch {
      // Closed already.
    }
  }
}
