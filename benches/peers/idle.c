// Opens COUNT connections to a server on 127.0.0.1, sends nothing, and reports
// what they cost the server.
//
//   gcc -O2 -o idle idle.c
//   ./idle PORT COUNT SERVER_PID SETTLE_SECONDS [hold]
//
// Prints one line of JSON: connections per second, the server's resident memory
// before and after, its growth divided by COUNT, and how many connections the
// server had closed by then. With `hold` it keeps them open until its standard
// input ends. Needs `ulimit -n` > COUNT.
#include "client.h"

static long resident_kib(int pid) {
  char path[64], line[256];
  long kib = -1;
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE *f = fopen(path, "r");
  while (f && fgets(line, sizeof line, f)) sscanf(line, "VmRSS: %ld", &kib);
  if (f) fclose(f);
  return kib;
}

static int is_closed(int fd) {
  char byte;
  ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n == 0 || (n < 0 && errno != EAGAIN);
}

int main(int argc, char **argv) {
  if (argc < 5) {
    fprintf(stderr,
            "usage: idle PORT COUNT SERVER_PID SETTLE_SECONDS [hold]\n");
    return 2;
  }
  int port = atoi(argv[1]), count = atoi(argv[2]), pid = atoi(argv[3]);
  int *fds = malloc(count * sizeof(int));
  long before = resident_kib(pid);
  double start = now();
  for (int i = 0; i < count; i++) {
    fds[i] = dial("127.0.0.1", port);
    if (fds[i] < 0) die("connect: %s, after %d", strerror(errno), i);
  }
  double seconds = now() - start;
  sleep(atoi(argv[4]));
  long after = resident_kib(pid);
  int closed = 0;
  for (int i = 0; i < count; i++) closed += is_closed(fds[i]);
  printf("{\"connections\":%d,\"perSecond\":%.0f,\"beforeKib\":%ld,"
         "\"afterKib\":%ld,\"bytesEach\":%ld,\"closed\":%d}\n",
         count, count / seconds, before, after,
         (after - before) * 1024 / count, closed);
  fflush(stdout);
  if (argc > 5) {
    char byte;
    while (read(0, &byte, 1) > 0) {
    }
  }
  return 0;
}
