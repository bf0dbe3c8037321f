const FOLDER = new URL("../testdata/tls/", import.meta.url);

function read(name: string): string {
  return Deno.readTextFileSync(new URL(name, FOLDER));
}

/** A certificate for localhost and its addresses, as a server takes it. */
export const SERVER_TLS = {
  tls: { cert: read("cert.pem"), key: read("key.pem") },
};

/** What a client needs to trust that server. */
export const CLIENT_TLS = { tls: { caCerts: [read("ca.pem")] } };
