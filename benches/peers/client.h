// What the load generators share: a clock, a dialler, frame headers and a
// latency histogram.
#ifndef CLIENT_H
#define CLIENT_H
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// The last bucket also holds everything slower than a second.
enum { BUCKET_US = 1, BUCKETS = 1 << 20 };

typedef struct {
  unsigned long long count;
  unsigned long long bucket[BUCKETS];
} Histogram;

__attribute__((noreturn, format(printf, 1, 2), unused)) static void die(
    const char *format, ...) {
  va_list values;
  va_start(values, format);
  vfprintf(stderr, format, values);
  va_end(values);
  fputc('\n', stderr);
  exit(1);
}

__attribute__((unused)) static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

// Processor time that this program has used.
__attribute__((unused)) static double cpu_seconds(void) {
  struct rusage r;
  getrusage(RUSAGE_SELF, &r);
  return r.ru_utime.tv_sec + r.ru_stime.tv_sec +
         (r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e-6;
}

// A connected blocking socket with TCP_NODELAY, or -1.
__attribute__((unused)) static int dial(const char *host, int port) {
  int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, host, &address.sin_addr);
  if (fd < 0 || connect(fd, (void *)&address, sizeof address)) return -1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

__attribute__((unused)) static void write_u32(unsigned char *p, size_t value) {
  p[0] = value >> 24;
  p[1] = value >> 16;
  p[2] = value >> 8;
  p[3] = value;
}

__attribute__((unused)) static size_t read_u32(const unsigned char *p) {
  return (size_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

__attribute__((unused)) static void record(Histogram *h, double seconds,
                                           unsigned times) {
  long at = seconds * 1e6 / BUCKET_US;
  h->bucket[at < 0 ? 0 : at < BUCKETS ? at : BUCKETS - 1] += times;
  h->count += times;
}

// The latency in microseconds that `share` of the samples do not exceed.
__attribute__((unused)) static long percentile(const Histogram *h,
                                               double share) {
  unsigned long long sum = 0;
  for (long i = 0; i < BUCKETS; i++) {
    sum += h->bucket[i];
    if (sum && sum >= h->count * share) return i * BUCKET_US;
  }
  return 0;
}
#endif
