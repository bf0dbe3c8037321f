/**
 * The system's C library, as far as sockets and network devices need it, where `--allow-ffi` grants it. Never asks for the permission.
 *
 * @module
 */

const SYMBOLS = {
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: {
    parameters: ["i32", "i32", "i32", "buffer", "buffer"],
    result: "i32",
  },
  setsockopt: {
    parameters: ["i32", "i32", "i32", "buffer", "u32"],
    result: "i32",
  },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  open: { parameters: ["buffer", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
  ioctlNumber: {
    name: "ioctl",
    parameters: ["i32", "u64", "u64"],
    result: "i32",
  },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  poll: {
    parameters: ["buffer", "u64", "i32"],
    result: "i32",
    nonblocking: true,
  },
  memcpy: { parameters: ["buffer", "pointer", "usize"], result: "pointer" },
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The functions of the C library that sockets and network devices need. */
export type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/** Where Linux distributions keep it: Debian and its kin, Red Hat and its kin, Arch. */
const PATHS: readonly [string, ...string[]] = [
  `/lib/${Deno.build.arch}-linux-gnu/libc.so.6`,
  "/lib64/libc.so.6",
  "/usr/lib/libc.so.6",
];

/** The narrowest flag that grants the C library. */
export const FFI_FLAG = `--allow-ffi=${PATHS[0]}`;

let libc: Libc | undefined;

/** The C library, or why there is none to be had. */
export function openLibc(): Libc | string {
  if (libc !== undefined) return libc;
  if (Deno.build.os !== "linux") return "reached on Linux alone";
  const granted = PATHS.filter((path) =>
    Deno.permissions.querySync({ name: "ffi", path }).state === "granted"
  );
  if (granted.length === 0) return `needs ${FFI_FLAG}`;
  for (const path of granted) {
    try {
      return libc = Deno.dlopen(path, SYMBOLS).symbols;
    } catch {
      // Another distribution's place.
    }
  }
  return `needs a C library at ${granted.join(" or ")}`;
}

const ERRORS: ReadonlyMap<number, string> = new Map([
  [1, "not permitted (EPERM)"],
  [2, "not known to the kernel (ENOENT)"],
  [9, "no descriptor (EBADF)"],
  [16, "in use (EBUSY)"],
  [22, "not a value that the kernel takes (EINVAL)"],
  [92, "no such option (ENOPROTOOPT)"],
  [107, "not connected (ENOTCONN)"],
]);

/** The number of the error of the last call. */
export function lastErrno({ memcpy, __errno_location }: Libc): number {
  const errno = new Int32Array(1);
  memcpy(errno, __errno_location(), 4n);
  return errno[0]!;
}

/** Why the last call failed, in a few words. */
export function lastError(libc: Libc): string {
  const errno = lastErrno(libc);
  return ERRORS.get(errno) ?? `errno ${errno}`;
}
