/**
 * Prints the path of the running Deno, for `--allow-run` in tasks: however Deno
 * was installed or started, tests may start that very program.
 *
 * @module
 */

console.log(Deno.execPath());
