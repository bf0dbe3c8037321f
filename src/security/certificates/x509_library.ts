/**
 * The X.509 library, loaded with the first certificate: it takes 65 ms, which
 * a program without TLS shall not pay.
 *
 * @module
 */

/** What the library exports. */
export type X509Library = typeof import("npm:@peculiar/x509@2.2.0");

let loading: Promise<X509Library> | undefined;

/** Loads the library once. */
export function loadX509(): Promise<X509Library> {
  return loading ??= load();
}

async function load(): Promise<X509Library> {
  // The library looks for what this adds to `Reflect` while it loads.
  await import("npm:reflect-metadata@0.2.2");
  return await import("npm:@peculiar/x509@2.2.0");
}
