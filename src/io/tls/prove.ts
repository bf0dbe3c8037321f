import { duplexPair } from "node:stream";
import { setImmediate } from "node:timers";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import type { NodeTlsServer } from "./node_server.ts";
import type { ServerTlsOptions } from "./options.ts";
import { TlsError, type TlsFault } from "./tls_error.ts";

/** A certificate that nobody signed, and its key: for the stranger that must not get in, and for nothing else. */
const STRANGER = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBdzCCARygAwIBAgIUZwLOE4y20vmbz8PdovC1niVlLtcwCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGbm9ib2R5MCAXDTI2MTEyMDE0MzgzOVoYDzIxMjYxMDI3MTQz
ODM5WjARMQ8wDQYDVQQDDAZub2JvZHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AAT6dcgz+zwGNNCS8FFXpqdR6Fk/iTA7OysP8+JssDojngSBsPVbaSEyUyG33ovx
EYbHGxvVYRfYkb7p+DQsbhrFo1AwTjAdBgNVHQ4EFgQUPn7BDZJTQGPmaWHsa8Rn
/eUfTrwwHwYDVR0jBBgwFoAUPn7BDZJTQGPmaWHsa8Rn/eUfTrwwDAYDVR0TAQH/
BAIwADAKBggqhkjOPQQDAgNJADBGAiEA4d1EMbdZ1n5Avd0dx6508qbnOkQiPNjx
Nure7s3GW8sCIQC8fUKZ3g59RYG3V5/Epq6gxbokAOR4Vz6cdOgp55AJNw==
-----END CERTIFICATE-----`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgODdn4s78yMLQw9j2
cRL4fBNrHKAOzQ9RisVzra4y73OhRANCAAT6dcgz+zwGNNCS8FFXpqdR6Fk/iTA7
OysP8+JssDojngSBsPVbaSEyUyG33ovxEYbHGxvVYRfYkb7p+DQsbhrF
-----END PRIVATE KEY-----`,
};
const PROVE_MS = 10_000;

/**
 * Has clients that must not get in try to, inside this process: where the runtime ignores an option, nobody else would
 * find out before it is too late.
 *
 * @throws {Deno.errors.NotSupported} If an option is ignored; says which.
 */
export async function proveOptions(
  server: NodeTlsServer,
  options: ServerTlsOptions,
): Promise<void> {
  const { clients, alpn, minVersion, maxVersion, names = {} } = options;
  const certain = async (
    option: string,
    ignored: string,
    client: ConnectionOptions,
    expected: TlsFault[],
  ) => {
    const { fault } = await attempt(server, client);
    if (fault !== undefined && expected.includes(fault)) return;
    throw new Deno.errors.NotSupported(
      `The runtime ignores '${option}': ${ignored}${
        fault === undefined ? "" : `, it says "${fault}"`
      }`,
    );
  };
  // The runtime takes certificates and keys that are none, or no pair, and lets every handshake fail.
  const plain = await attempt(server, {});
  if (plain.error !== undefined && plain.fault !== "no certificate") {
    throw new TypeError("The certificate and the key are of no use", {
      cause: plain.error,
    });
  }
  if (clients !== undefined) {
    if (clients.optional !== true) {
      await certain(
        "tls.clients",
        "a client without a certificate is let in",
        {},
        ["no certificate"],
      );
    }
    await certain(
      "tls.clients",
      "a client that nobody has signed is let in",
      STRANGER,
      ["self-signed"],
    );
  }
  if (minVersion === "TLSv1.3") {
    await certain(
      "tls.minVersion",
      "TLS 1.2 is spoken",
      { maxVersion: "TLSv1.2" },
      ["nothing in common"],
    );
  }
  if (maxVersion === "TLSv1.2") {
    await certain(
      "tls.maxVersion",
      "TLS 1.3 is spoken",
      { minVersion: "TLSv1.3" },
      ["nothing in common"],
    );
  }
  if (alpn !== undefined) {
    await certain(
      "tls.alpn",
      "a client with another protocol is let in",
      { ALPNProtocols: ["nobody/0"] },
      ["nothing in common"],
    );
  }
  for (const name of Object.keys(names)) await proveName(server, options, name);
}

/** Sees to it that the certificate of a server name is the one that is shown. */
async function proveName(
  server: NodeTlsServer,
  { names, clients, maxVersion }: ServerTlsOptions,
  name: string,
): Promise<void> {
  // In TLS 1.2 who shows no certificate does not see the server's for certain.
  if (clients !== undefined && maxVersion === "TLSv1.2") return;
  const servername = name.replace(/^\*/, "nobody");
  const { shown } = await attempt(server, { servername });
  const { X509Certificate } = await import("node:crypto");
  const own = new X509Certificate(names![name]!.cert).fingerprint256;
  if (shown === own) return;
  throw new Deno.errors.NotSupported(
    `The runtime ignores 'tls.names': a client that asks for ${servername} is shown another certificate`,
  );
}

/** How one client fares: why it was refused, and what it was shown. */
async function attempt(
  server: NodeTlsServer,
  client: ConnectionOptions,
): Promise<{ fault?: TlsFault; error?: unknown; shown?: string }> {
  const [ours, theirs] = duplexPair();
  const accepted = server.shake(ours, AbortSignal.timeout(PROVE_MS)).then(
    ({ socket }) => void socket.destroy(),
    (error: unknown) => error,
  );
  // On this runtime a handshake that fails in the very turn in which it begins throws where nobody can catch it.
  await new Promise((resolve) => setImmediate(resolve));
  const socket: TLSSocket = connect({
    ...client,
    socket: theirs,
    // It is our own certificate: no other one is looked for.
    rejectUnauthorized: false,
  });
  socket.on("error", () => {});
  const secured = new Promise<string | undefined>((resolve) => {
    socket.once(
      "secureConnect",
      () => resolve(socket.getPeerCertificate()?.fingerprint256),
    );
    socket.once("close", () => resolve(undefined));
  });
  const error = await accepted;
  ours.destroy();
  theirs.destroy();
  socket.destroy();
  const shown = await secured;
  return {
    ...(error === undefined ? {} : { error, fault: faultOf(error) }),
    ...(shown === undefined ? {} : { shown }),
  };
}

function faultOf(error: unknown): TlsFault {
  return error instanceof TlsError ? error.fault : "broken";
}
