// The job in Go: `net`, a goroutine per connection, `bufio`, `encoding/json`.
//
//	go build peer.go && GOMAXPROCS=1 ./peer PORT
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
)

type message struct {
	Type      string `json:"type"`
	Content   string `json:"content"`
	Timestamp string `json:"timestamp"`
	EchoedBy  string `json:"echoed_by,omitempty"`
}

func main() {
	port := "0"
	if len(os.Args) > 1 {
		port = os.Args[1]
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("listening tcp://%s\n", listener.Addr())
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go handle(conn)
	}
}

func handle(conn net.Conn) {
	defer conn.Close()
	reader := bufio.NewReaderSize(conn, 65536)
	writer := bufio.NewWriterSize(conn, 65536)
	var header [4]byte
	for {
		if _, err := io.ReadFull(reader, header[:]); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(header[:]))
		if _, err := io.ReadFull(reader, body); err != nil {
			return
		}
		var m message
		json.Unmarshal(body, &m)
		m.Type = "echo_response"
		m.EchoedBy = "TCP Server"
		reply, _ := json.Marshal(m)
		binary.BigEndian.PutUint32(header[:], uint32(len(reply)))
		writer.Write(header[:])
		writer.Write(reply)
		if reader.Buffered() == 0 {
			writer.Flush()
		}
	}
}
