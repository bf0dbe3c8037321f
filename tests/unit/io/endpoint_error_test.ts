import { assertEquals, assertStrictEquals } from "@std/assert";
import { EndpointError } from "../../../src/io/endpoint_error.ts";

const ENDPOINT = { scheme: "tcp", hostname: "::1", port: 80 } as const;

Deno.test("EndpointError says in one line what could not be done, and why", () => {
  const reasons: [unknown, string][] = [
    [new Deno.errors.AddrInUse("… (os error 98)"), "address in use"],
    [
      new Deno.errors.AddrNotAvailable("… (os error 99)"),
      "address not available on this machine",
    ],
    [
      new Deno.errors.ConnectionRefused("… (os error 111)"),
      "connection refused",
    ],
    [
      new Deno.errors.PermissionDenied("Permission denied (os error 13)"),
      "permission denied by the system",
    ],
    [
      new Deno.errors.NotCapable(
        'Requires net access to "[::1]:80", run again with the --allow-net flag',
      ),
      "permission denied, run again with --allow-net for it",
    ],
    [
      new Error("failed to lookup address information: Name or service …"),
      "no such host",
    ],
    [new Deno.errors.NotFound("No such file (os error 2)"), "no such file"],
    [
      new Error("No route to host (os error 113)"),
      "No route to host",
    ],
    ["odd", "odd"],
  ];
  for (const [cause, reason] of reasons) {
    const error = new EndpointError("listen on", ENDPOINT, cause);
    assertEquals(error.message, `Cannot listen on tcp://[::1]:80: ${reason}`);
    assertEquals(error.reason, reason);
    assertEquals(error.endpoint, "tcp://[::1]:80");
    assertStrictEquals(error.cause, cause);
    assertEquals(error.name, "EndpointError");
  }
});
