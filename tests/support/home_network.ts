/**
 * A home network with a NAT of ours, or of the kernel, in namespaces of their own.
 *
 * @module
 */

import {
  HOME_ADDRESSES,
  HOME_DEVICES,
  HomeNetwork,
} from "../../src/cli/home_network.ts";
import { openLibc } from "../../src/io/ffi/libc.ts";
import type { NatEvent } from "../../src/proto/nat/events.ts";
import {
  type NatRouter,
  natRouter,
  type NatRouterOptions,
} from "../../src/proxy/nat/nat_router.ts";
import { isInstalled } from "./installed.ts";
import { Program, type Ran, run } from "./program.ts";

/** The addresses of the tests. */
export const {
  hosts: [HOST, SECOND_HOST],
  outside: OUTSIDE,
  router: ROUTER,
  servers: [SERVER, SECOND_SERVER],
} = HOME_ADDRESSES;

let tries = 0;

/** Whether this process may make network namespaces and TUN devices, with these programs; says so if it may not. */
export async function canRoute(...programs: string[]): Promise<boolean> {
  if (!await isInstalled("ip", "-V")) return false;
  const name = `portolan-${Deno.pid}-try-${++tries}`;
  const { code, stderr } = await run(["ip", "netns", "add", name]);
  if (code !== 0) {
    console.log(`skipped: no network namespace: ${stderr.trim()}`);
    return false;
  }
  try {
    for (const program of ["sysctl", ...programs]) {
      const which = ["sh", "-c", `command -v ${program}`];
      const found = await run(["ip", "netns", "exec", name, ...which]);
      if (found.code !== 0) {
        console.log(`skipped: ${program} is not installed`);
        return false;
      }
    }
  } finally {
    await run(["ip", "netns", "del", name]);
  }
  const libc = openLibc();
  if (typeof libc !== "string") return true;
  console.log(`skipped: the C library: ${libc}`);
  return false;
}

/** Runs a command in a namespace, to its end. */
export function within(namespace: string, ...command: string[]): Promise<Ran> {
  return run(["ip", "netns", "exec", namespace, ...command]);
}

/** Starts a command in a namespace, and waits until it has printed `ready`. */
export async function startWithin(
  namespace: string,
  ready: string,
  ...command: string[]
): Promise<Program> {
  const program = Program.start(["ip", "netns", "exec", namespace, ...command]);
  await program.until(
    `"${ready}"`,
    () => `${program.output}${program.errors}`.includes(ready),
  );
  return program;
}

/** A home network whose router is a NAT of ours. */
export interface NatHome extends AsyncDisposable {
  network: HomeNetwork;
  router: NatRouter;
  events: NatEvent[];
}

/** Makes a home network whose router is a NAT of ours. */
export async function natHome(
  options: Partial<NatRouterOptions> = {},
): Promise<NatHome> {
  const stack = new AsyncDisposableStack();
  try {
    const network = stack.use(await HomeNetwork.create());
    const events: NatEvent[] = [];
    const router = stack.use(
      await natRouter({
        insideDevice: HOME_DEVICES.inside,
        inside: [HOME_ADDRESSES.inside],
        outsideDevice: HOME_DEVICES.outside,
        outside: [OUTSIDE],
        namespace: network.router,
        observe: (event) => events.push(event),
        ...options,
      }),
    );
    return {
      network,
      router,
      events,
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** Makes a home network whose router masquerades by the kernel's nftables. */
export async function kernelHome(): Promise<HomeNetwork> {
  const network = await HomeNetwork.create();
  try {
    const rules = "table ip nat { chain out { type nat hook postrouting " +
      `priority 100; oifname "${HOME_DEVICES.outside}" masquerade; }; }`;
    for (
      const command of [
        ["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"],
        ["nft", rules],
      ]
    ) {
      const { code, stderr } = await within(network.router, ...command);
      if (code !== 0) throw new Error(`Cannot masquerade: ${stderr}`);
    }
    return network;
  } catch (error) {
    await network.remove();
    throw error;
  }
}
