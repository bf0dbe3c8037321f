const FOLDER = new URL("../testdata/tls/", import.meta.url);

function read(name: string): string {
  return Deno.readTextFileSync(new URL(name, FOLDER));
}

/** The text of a certificate or key of `tests/testdata/tls`. */
export function pem(name: string): string {
  return read(`${name}.pem`);
}

/** A certificate for localhost and its addresses, as a server takes it. */
export const SERVER_TLS = {
  tls: { cert: read("cert.pem"), key: read("key.pem") },
};

/** What a client needs to trust that server. */
export const CLIENT_TLS = { tls: { caCerts: [read("ca.pem")] } };

/** The same server by `node:tls`. */
export const NODE_SERVER_TLS = {
  tls: { ...SERVER_TLS.tls, engine: "node" as const },
};

/** A client by `node:tls`. */
export const NODE_CLIENT_TLS = {
  tls: { ...CLIENT_TLS.tls, engine: "node" as const },
};

/** A server that wants certificates from its clients. */
export const MUTUAL_SERVER_TLS = {
  tls: { ...SERVER_TLS.tls, clients: { caCerts: [read("ca.pem")] } },
};

/** A client that shows one: that of `ada`. */
export const MUTUAL_CLIENT_TLS = {
  tls: { ...CLIENT_TLS.tls, cert: read("client.pem"), key: read("key.pem") },
};
