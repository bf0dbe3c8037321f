// Load for TLS servers that send length-prefixed frames back, or answer HTTP.
//
//	tls_load echo HOST:PORT CONNECTIONS WINDOW BYTES SECONDS [CERT KEY]
//	tls_load handshakes HOST:PORT CONNECTIONS echo|http SECONDS [CERT KEY]
//
// Prints one line of JSON. The first fifth of the time is warm-up. `handshakes`
// counts connections that were dialled, secured, answered once and closed.
package main

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "Cannot load:", err)
		os.Exit(1)
	}
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	fail(err)
	return value
}

func seconds(text string) time.Duration {
	value, err := strconv.ParseFloat(text, 64)
	fail(err)
	return time.Duration(value * float64(time.Second))
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	fail(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	of := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return of(usage.Utime) + of(usage.Stime)
}

// The server's certificate is the test's own: this measures speed and trusts nobody.
var config = &tls.Config{InsecureSkipVerify: true}

func dial(address string) *tls.Conn {
	conn, err := net.Dial("tcp", address)
	fail(err)
	secured := tls.Client(conn, config)
	fail(secured.Handshake())
	return secured
}

// A frame of so many bytes: four bytes of length and as many zeros.
func frame(size int) []byte {
	bytes := make([]byte, 4+size)
	binary.BigEndian.PutUint32(bytes, uint32(size))
	return bytes
}

func echo(address string, window int, size int, count *int64, done *int32) {
	conn := dial(address)
	defer conn.Close()
	one := frame(size)
	batch := make([]byte, 0, len(one)*window)
	for at := 0; at < window; at++ {
		batch = append(batch, one...)
	}
	_, err := conn.Write(batch)
	fail(err)
	reader := bufio.NewReaderSize(conn, 1<<17)
	answer := make([]byte, len(one))
	for atomic.LoadInt32(done) == 0 {
		_, err := io.ReadFull(reader, answer)
		fail(err)
		owed := 1
		for reader.Buffered() >= len(one) {
			_, err := reader.Discard(len(one))
			fail(err)
			owed++
		}
		atomic.AddInt64(count, int64(owed))
		_, err = conn.Write(batch[:owed*len(one)])
		fail(err)
	}
}

func handshakes(address string, request []byte, least int, count *int64, done *int32, took func(time.Duration)) {
	answer := make([]byte, 4096)
	for atomic.LoadInt32(done) == 0 {
		began := time.Now()
		conn := dial(address)
		_, err := conn.Write(request)
		fail(err)
		_, err = io.ReadAtLeast(conn, answer, least)
		fail(err)
		conn.Close()
		atomic.AddInt64(count, 1)
		took(time.Since(began))
	}
}

func main() {
	args := os.Args[1:]
	mode, address, connections := args[0], args[1], number(args[2])
	work := func(count *int64, done *int32) {}
	rest := args[4:]
	var lock sync.Mutex
	times := []float64{}
	if mode == "echo" {
		window, size := number(args[3]), number(args[4])
		rest = args[5:]
		work = func(count *int64, done *int32) { echo(address, window, size, count, done) }
	} else {
		request, least := frame(64), 68
		if args[3] == "http" {
			request, least = []byte("GET / HTTP/1.0\r\n\r\n"), 1
		}
		work = func(count *int64, done *int32) {
			handshakes(address, request, least, count, done, func(time time.Duration) {
				lock.Lock()
				times = append(times, float64(time.Microseconds())/1000)
				lock.Unlock()
			})
		}
	}
	whole := seconds(rest[0])
	if len(rest) > 2 {
		pair, err := tls.LoadX509KeyPair(rest[1], rest[2])
		fail(err)
		config.Certificates = []tls.Certificate{pair}
	}
	var count int64
	var done int32
	var group sync.WaitGroup
	for at := 0; at < connections; at++ {
		group.Add(1)
		go func() {
			defer group.Done()
			work(&count, &done)
		}()
	}
	time.Sleep(whole / 5)
	began, from := time.Now(), atomic.LoadInt64(&count)
	time.Sleep(whole - whole/5)
	measured, elapsed := atomic.LoadInt64(&count)-from, time.Since(began).Seconds()
	atomic.StoreInt32(&done, 1)
	group.Wait()
	result := map[string]float64{
		"perSecond":  float64(measured) / elapsed,
		"total":      float64(atomic.LoadInt64(&count)),
		"cpuSeconds": cpuSeconds(),
	}
	if len(times) > 0 {
		sort.Float64s(times)
		result["p50Ms"] = times[len(times)/2]
	}
	fail(json.NewEncoder(os.Stdout).Encode(result))
}
